package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const chunk = 5 << 20

// blobs puts one large blob after the other, in one of the three styles that clients use.
func blobs(w *Work) *Result {
	c, result := newClient(w, w.repos[0]), newResult()
	style := map[string]func(*Client, Blob){"whole": whole, "stream": stream, "chunks": chunks}[w.style]
	if style == nil {
		fail("no such style: %q", w.style)
	}
	for range w.count {
		blob := noiseBlob(w.size)
		w.sync()
		start := time.Now()
		style(c, blob)
		if w.durable {
			w.sync()
		}
		result.Seconds[w.style] = append(result.Seconds[w.style], since(start))
		c.check("blobs", blob.digest, blob.digest)
		result.Verified++
	}
	return result
}

// whole: POST, then PUT of everything.
func whole(c *Client, blob Blob) {
	place := c.next(c.start(), blob.digest)
	c.send("PUT", place, blob.reader(), int64(len(blob.bytes)), octets, 201)
}

// stream: POST, one PATCH with chunked encoding, PUT without a body.
func stream(c *Client, blob Blob) {
	answer := c.send("PATCH", c.next(c.start(), ""), blob.reader(), -1, octets, 202)
	c.send("PUT", c.next(answer, blob.digest), http.NoBody, 0, nil, 201)
}

// chunks: POST, a PATCH with Content-Range for every 5 MiB, PUT without a body.
func chunks(c *Client, blob Blob) {
	answer := c.start()
	for first := 0; first < len(blob.bytes); first += chunk {
		last := min(first+chunk, len(blob.bytes))
		headers := map[string]string{
			"Content-Type": "application/octet-stream", "Content-Range": fmt.Sprintf("%d-%d", first, last-1),
		}
		piece := bytes.NewReader(blob.bytes[first:last])
		answer = c.send("PATCH", c.next(answer, ""), piece, int64(last-first), headers, 202)
	}
	c.send("PUT", c.next(answer, blob.digest), http.NoBody, 0, nil, 201)
}

var octets = map[string]string{"Content-Type": "application/octet-stream"}

// big streams blobs too large for memory, all at once, each made and hashed while it is sent.
func big(w *Work) *Result {
	result := newResult()
	clients, digests := make([]*Client, w.clients), make([]string, w.clients)
	for n := range clients {
		clients[n] = newClient(w, w.repos[0])
	}
	w.sync()
	start := time.Now()
	var all sync.WaitGroup
	for n, c := range clients {
		all.Add(1)
		go func(n int, c *Client) {
			defer all.Done()
			hash := sha256.New()
			body := io.TeeReader(io.LimitReader(noise(), w.size), hash)
			answer := c.send("PATCH", c.next(c.start(), ""), body, -1, octets, 202)
			digests[n] = "sha256:" + hex.EncodeToString(hash.Sum(nil))
			c.send("PUT", c.next(answer, digests[n]), http.NoBody, 0, nil, 201)
		}(n, c)
	}
	all.Wait()
	result.Seconds["big"] = []float64{since(start)}
	for n, c := range clients {
		if w.verify < 0 || n < w.verify {
			c.check("blobs", digests[n], digests[n])
			result.Verified++
		}
	}
	return result
}
