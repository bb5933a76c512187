package main

const sysSyncfs = 267
