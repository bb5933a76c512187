// The writing side of the benchmark: what a registry client does, with as little work of its own as can be.
// Content and digests are made before the clock starts; what was pushed is read back after it stopped.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"
)

// Work is what the command line asks for.
type Work struct {
	mode, url, style, user, password, service, data, accept, token string
	repos, paths                                                   []string
	size                                                           int64
	count, clients, verify                                         int
	seconds                                                        float64
	durable                                                        bool
}

// Result goes to standard output as JSON. Times are seconds.
type Result struct {
	Seconds   map[string][]float64 `json:"seconds"`
	Medians   map[string]float64   `json:"medians"`
	PerSecond map[string]float64   `json:"per_second"`
	Verified  int                  `json:"verified"`
}

func read() *Work {
	w := &Work{}
	var repos, paths string
	flag.StringVar(&w.mode, "mode", "", "blob, push, manifests, pages, head or big")
	flag.StringVar(&w.url, "url", "", "http://host:port")
	flag.StringVar(&repos, "repos", "", "repositories, separated by commas")
	flag.StringVar(&paths, "paths", "", "paths to get, separated by spaces")
	flag.StringVar(&w.style, "style", "whole", "whole, stream or chunks")
	flag.StringVar(&w.user, "user", "", "login for tokens; empty: anonymous")
	flag.StringVar(&w.password, "password", "", "its password")
	flag.StringVar(&w.service, "service", "entrepot", "service that tokens are for")
	flag.StringVar(&w.token, "token", "", "a token for head and pages")
	flag.StringVar(&w.data, "data", "", "folder whose file system is synced before the clock starts")
	flag.StringVar(&w.accept, "accept", ociManifest, "Accept header")
	flag.Int64Var(&w.size, "size", 100<<20, "bytes of a blob")
	flag.IntVar(&w.count, "count", 1, "how often")
	flag.IntVar(&w.clients, "clients", 8, "how many at once")
	flag.IntVar(&w.verify, "verify", -1, "how many blobs are read back; -1: all")
	flag.Float64Var(&w.seconds, "seconds", 1, "how long head and pages go on")
	flag.BoolVar(&w.durable, "durable", false, "sync the file system of -data after each unit, on the clock")
	flag.Parse()
	w.repos, w.paths = strings.Split(repos, ","), strings.Fields(paths)
	return w
}

func main() {
	w := read()
	works := map[string]func(*Work) *Result{
		"blob": blobs, "push": pushes, "manifests": manifests, "pages": pages, "head": heads, "big": big,
	}
	do, ok := works[w.mode]
	if !ok {
		fail("no such mode: %q", w.mode)
	}
	result := do(w)
	result.Medians = map[string]float64{}
	for name, seconds := range result.Seconds {
		result.Medians[name] = median(seconds)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fail("%v", err)
	}
}

func median(values []float64) float64 {
	sorted := append([]float64(nil), values...)
	sort.Float64s(sorted)
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func since(start time.Time) float64 { return time.Since(start).Seconds() }

func newResult() *Result {
	return &Result{Seconds: map[string][]float64{}, PerSecond: map[string]float64{}}
}

func fail(format string, words ...any) {
	fmt.Fprintf(os.Stderr, "driver: "+format+"\n", words...)
	os.Exit(1)
}
