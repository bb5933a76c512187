module entrepot/bench/driver

go 1.22
