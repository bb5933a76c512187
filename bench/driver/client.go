package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"time"
)

const (
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	tokenLife   = 120 * time.Second
)

// Client is one registry client: one repository, one token, kept connections.
type Client struct {
	work   *Work
	http   *http.Client
	repo   string
	token  string
	issued time.Time
}

func newClient(w *Work, repo string) *Client {
	transport := &http.Transport{
		MaxIdleConnsPerHost: 64, DisableCompression: true, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10,
	}
	c := &Client{work: w, http: &http.Client{Transport: transport}, repo: repo}
	c.login()
	return c
}

// login gets a token when there is none, or an old one. Off the clock of everything but pushes of minutes.
func (c *Client) login() {
	if c.work.user == "" || time.Since(c.issued) < tokenLife {
		return
	}
	query := url.Values{"service": {c.work.service}, "scope": {"repository:" + c.repo + ":pull,push"}}
	request, err := http.NewRequest("GET", c.work.url+"/token?"+query.Encode(), nil)
	if err != nil {
		fail("%v", err)
	}
	request.SetBasicAuth(c.work.user, c.work.password)
	answer, err := c.http.Do(request)
	if err != nil {
		fail("%v", err)
	}
	defer answer.Body.Close()
	var reply struct{ Token string }
	if err := json.NewDecoder(answer.Body).Decode(&reply); err != nil || reply.Token == "" {
		fail("no token: %s %v", answer.Status, err)
	}
	c.token, c.issued = reply.Token, time.Now()
}

// send makes one request, wants this status and gives the answer, its body read and closed.
func (c *Client) send(method, where string, body io.Reader, length int64, headers map[string]string, want int) *http.Response {
	answer := c.open(method, where, body, length, headers)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != want {
		fail("%s %s: %s, not %d: %.300s %v", method, where, answer.Status, want, text, err)
	}
	return answer
}

func (c *Client) open(method, where string, body io.Reader, length int64, headers map[string]string) *http.Response {
	c.login()
	request, err := http.NewRequest(method, where, body)
	if err != nil {
		fail("%v", err)
	}
	if body != nil {
		request.ContentLength = length
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		fail("%s %s: %v", method, where, err)
	}
	return answer
}

func (c *Client) at(format string, words ...any) string {
	return c.work.url + "/v2/" + c.repo + fmt.Sprintf(format, words...)
}

// next is where an upload goes on: Location may be relative, and may carry a query that must stay.
func (c *Client) next(answer *http.Response, digest string) string {
	base, _ := url.Parse(c.work.url)
	place, err := base.Parse(answer.Header.Get("Location"))
	if err != nil || answer.Header.Get("Location") == "" {
		fail("no Location: %v", err)
	}
	if digest != "" {
		query := place.Query()
		query.Set("digest", digest)
		place.RawQuery = query.Encode()
	}
	return place.String()
}

func (c *Client) start() *http.Response {
	return c.send("POST", c.at("/blobs/uploads/"), http.NoBody, 0, nil, 202)
}

// check reads a blob or manifest back and compares its digest.
func (c *Client) check(kind, reference, digest string) {
	answer := c.open("GET", c.at("/%s/%s", kind, reference), nil, 0, map[string]string{"Accept": ociManifest})
	defer answer.Body.Close()
	hash := sha256.New()
	if _, err := io.CopyBuffer(hash, answer.Body, make([]byte, 1<<20)); err != nil || answer.StatusCode != 200 {
		fail("read back %s: %s %v", reference, answer.Status, err)
	}
	if got := "sha256:" + hex.EncodeToString(hash.Sum(nil)); got != digest {
		fail("read back %s: holds %s", reference, got)
	}
}

// noise is an endless stream of bytes that do not compress, another one each time.
func noise() io.Reader {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		fail("%v", err)
	}
	block, err := aes.NewCipher(key[:16])
	if err != nil {
		fail("%v", err)
	}
	return &cipher.StreamReader{S: cipher.NewCTR(block, key[16:]), R: zeros{}}
}

type zeros struct{}

func (zeros) Read(into []byte) (int, error) {
	clear(into)
	return len(into), nil
}

// Blob is content with its digest.
type Blob struct {
	bytes  []byte
	digest string
}

func newBlob(content []byte) Blob {
	sum := sha256.Sum256(content)
	return Blob{content, "sha256:" + hex.EncodeToString(sum[:])}
}

func noiseBlob(size int64) Blob {
	content := make([]byte, size)
	if _, err := io.ReadFull(noise(), content); err != nil {
		fail("%v", err)
	}
	return newBlob(content)
}

func (b Blob) reader() io.Reader { return bytes.NewReader(b.bytes) }

// sync writes out everything the file system of -data holds back, so that one server's debt is not another's.
func (w *Work) sync() {
	if w.data == "" {
		return
	}
	folder, err := os.Open(w.data)
	if err != nil {
		fail("%v", err)
	}
	defer folder.Close()
	if _, _, code := syscall.Syscall(sysSyncfs, folder.Fd(), 0, 0); code != 0 {
		fail("syncfs: %v", code)
	}
}
