package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	number "math/big"
	"sync"
	"time"
)

// Image is a small image: config, three layers of 10 to 100 KiB, a manifest, a tag.
type Image struct {
	blobs    []Blob
	manifest Blob
	tag      string
}

type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int    `json:"size"`
}

func newImage() Image {
	layers := []Blob{noiseBlob(smallSize()), noiseBlob(smallSize()), noiseBlob(smallSize())}
	config := newBlob([]byte(fmt.Sprintf(`{"architecture":"amd64","os":"linux","id":"%s"}`, word())))
	return Image{append(layers, config), newManifest(config, layers), "v" + word()[:12]}
}

func newManifest(config Blob, layers []Blob) Blob {
	described := []descriptor{}
	for _, layer := range layers {
		described = append(described, descriptor{"application/vnd.oci.image.layer.v1.tar", layer.digest, len(layer.bytes)})
	}
	document := map[string]any{
		"schemaVersion": 2,
		"mediaType":     ociManifest,
		"config":        descriptor{"application/vnd.oci.image.config.v1+json", config.digest, len(config.bytes)},
		"layers":        described,
		"annotations":   map[string]string{"bench": word()},
	}
	content, err := json.Marshal(document)
	if err != nil {
		fail("%v", err)
	}
	return newBlob(content)
}

func word() string {
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		fail("%v", err)
	}
	return hex.EncodeToString(raw)
}

func smallSize() int64 {
	extra, err := rand.Int(rand.Reader, number.NewInt(90<<10))
	if err != nil {
		fail("%v", err)
	}
	return 10<<10 + extra.Int64()
}

// push does what docker push does once it has its token: ask for each blob, upload it, then put the manifest.
func (c *Client) push(image Image) {
	for _, blob := range image.blobs {
		c.send("HEAD", c.at("/blobs/%s", blob.digest), nil, 0, nil, 404)
		whole(c, blob)
	}
	c.putManifest(image.tag, image.manifest)
}

func (c *Client) putManifest(tag string, manifest Blob) {
	headers := map[string]string{"Content-Type": ociManifest}
	c.send("PUT", c.at("/manifests/%s", tag), manifest.reader(), int64(len(manifest.bytes)), headers, 201)
}

// pushes lets clients push at once, each into a repository of its own, until count images are there.
func pushes(w *Work) *Result {
	result, each := newResult(), w.count/w.clients
	clients, images := make([]*Client, w.clients), make([][]Image, w.clients)
	for n := range clients {
		clients[n] = newClient(w, fmt.Sprintf("%s-%d", w.repos[0], n))
		for range each {
			images[n] = append(images[n], newImage())
		}
	}
	w.sync()
	start := time.Now()
	times := together(clients, func(n int) []float64 {
		var seconds []float64
		for _, image := range images[n] {
			began := time.Now()
			clients[n].push(image)
			if w.durable {
				w.sync()
			}
			seconds = append(seconds, since(began))
		}
		return seconds
	})
	result.PerSecond["push"] = float64(each*w.clients) / since(start)
	result.Seconds["push"] = times
	for n, c := range clients {
		for _, image := range images[n] {
			c.check("manifests", image.tag, image.manifest.digest)
			for _, blob := range image.blobs {
				c.check("blobs", blob.digest, blob.digest)
			}
			result.Verified++
		}
	}
	return result
}

func together(clients []*Client, do func(int) []float64) []float64 {
	var all sync.WaitGroup
	var lock sync.Mutex
	var times []float64
	for n := range clients {
		all.Add(1)
		go func(n int) {
			defer all.Done()
			seconds := do(n)
			lock.Lock()
			defer lock.Unlock()
			times = append(times, seconds...)
		}(n)
	}
	all.Wait()
	return times
}

// manifests puts new manifests under new tags, in turn into each repository; one client, so times are latencies.
func manifests(w *Work) *Result {
	result := newResult()
	clients, images := []*Client{}, []Image{}
	for _, repo := range w.repos {
		c, image := newClient(w, repo), newImage()
		for _, blob := range image.blobs {
			whole(c, blob)
		}
		clients, images = append(clients, c), append(images, image)
	}
	w.sync()
	for round := range w.count {
		for place := range clients {
			n := (place + round) % len(clients) // each goes first as often as the others
			c := clients[n]
			last := len(images[n].blobs) - 1
			fresh := newManifest(images[n].blobs[last], images[n].blobs[:last])
			tag := "w" + word()[:12]
			start := time.Now()
			c.putManifest(tag, fresh)
			result.Seconds[c.repo] = append(result.Seconds[c.repo], since(start))
			c.check("manifests", tag, fresh.digest)
			result.Verified++
		}
	}
	return result
}
