package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// pages gets each path over and over, one client, no two requests at once; at least three times each.
func pages(w *Work) *Result {
	result := newResult()
	c := newClient(w, w.repos[0])
	c.token = w.token
	for _, path := range w.paths {
		began := time.Now()
		for n := 0; n < 3 || since(began) < w.seconds; n++ {
			start := time.Now()
			c.send("GET", w.url+path, nil, 0, nil, 200)
			result.Seconds[path] = append(result.Seconds[path], since(start))
		}
		result.PerSecond[path] = float64(len(result.Seconds[path])) / since(began)
	}
	return result
}

// heads sends HEAD over kept connections: wrk cannot, it waits for a body that never comes.
func heads(w *Work) *Result {
	result := newResult()
	for _, path := range w.paths {
		var done atomic.Int64
		var all sync.WaitGroup
		start := time.Now()
		end := start.Add(time.Duration(w.seconds * float64(time.Second)))
		for range w.clients {
			all.Add(1)
			go func() {
				defer all.Done()
				done.Add(headLoop(w, path, end))
			}()
		}
		all.Wait()
		result.PerSecond[path] = float64(done.Load()) / since(start)
	}
	return result
}

func headLoop(w *Work, path string, end time.Time) int64 {
	host := strings.TrimPrefix(w.url, "http://")
	connection, err := net.Dial("tcp", host)
	if err != nil {
		fail("%v", err)
	}
	defer connection.Close()
	text := fmt.Sprintf("HEAD %s HTTP/1.1\r\nHost: %s\r\nAccept: %s\r\n", path, host, w.accept)
	if w.token != "" {
		text += "Authorization: Bearer " + w.token + "\r\n"
	}
	request, reader := []byte(text+"\r\n"), bufio.NewReader(connection)
	var count int64
	for time.Now().Before(end) {
		if _, err := connection.Write(request); err != nil {
			fail("%v", err)
		}
		readHead(reader, path)
		count++
	}
	return count
}

func readHead(reader *bufio.Reader, path string) {
	for first := true; ; first = false {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			fail("HEAD %s: %v", path, err)
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
			fail("HEAD %s: %s", path, line)
		}
		if len(line) <= 2 {
			return
		}
	}
}
