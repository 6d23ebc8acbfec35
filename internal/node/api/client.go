package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// maxAnswer is how many bytes of JSON a node may answer with.
const maxAnswer = 64 << 20

// A Client speaks to one node. Its methods may be called at the same time. Errors
// that the node answers with are an [*Error].
type Client struct {
	dial func(context.Context) (net.Conn, error)
	http *http.Client

	hmu    sync.Mutex // guards holder
	holder *holder    // nil until Hold is called
	plain  bool       // there can be none
}

// Dial returns a Client of the node whose state is in dir. If none runs there, the
// error matches [ErrNotRunning].
func Dial(dir string) (*Client, error) {
	path := SocketPath(dir)
	dial := func(ctx context.Context) (net.Conn, error) {
		c, err := dialSocket(ctx, path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
			return nil, ErrNotRunning
		}
		return c, err
	}
	conn, err := dial(context.Background())
	if err != nil {
		return nil, err
	}
	return NewClient(dial), conn.Close()
}

// maxSocketName is how long the path of a socket may be (unix(7)); a zero follows it.
const maxSocketName = len(syscall.RawSockaddrUnix{}.Path) - 1

// dialSocket connects to a socket, also one whose path is too long for the system, where a node can listen at such a one.
func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	if len(path) > maxSocketName && runtime.GOOS == "linux" {
		dir, err := os.Open(filepath.Dir(path))
		if err != nil {
			return nil, err
		}
		defer dir.Close() //nolint:errcheck // it was only held
		path = fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	}
	return new(net.Dialer).DialContext(ctx, "unix", path)
}

// NewClient returns a Client that reaches its node through connections that dial makes.
func NewClient(dial func(context.Context) (net.Conn, error)) *Client {
	t := &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		MaxIdleConnsPerHost: 2,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true,
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // it would be another request
	return &Client{dial: dial, http: &http.Client{Transport: t, CheckRedirect: stay}}
}

// errNameless: a part of a path names something, and is empty.
var errNameless = transport.Usage(errors.New("a name is missing: it is empty"))

// segment returns a part of a path that stands for a name, whatever that is: by dots a path would be another one.
func segment(name string) string {
	if name == "." || name == ".." {
		return strings.ReplaceAll(name, ".", "%2E")
	}
	return url.PathEscape(name)
}

// Close lets go of idle connections, and of what the node holds for the Client.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return c.letGo()
}

var errNotUTF8 = transport.WithHint(transport.Usage(errors.New("a text or a name is not in UTF-8")), "JSON, in which the node is asked, carries nothing else")

// marshal encodes a value of which nothing is lost: json.Marshal writes \ufffd, which it writes for nothing else, for what is not in UTF-8.
func marshal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	for from := 0; err == nil; {
		i := bytes.Index(b[from:], []byte(`\ufffd`))
		if i < 0 {
			break
		}
		i += from
		if before := b[:i]; (len(before)-len(bytes.TrimRight(before, `\`)))%2 == 0 { // else it is a backslash that was typed
			err = errNotUTF8
		}
		from = i + 1
	}
	return b, err
}

// request sends a request whose body is in, if that is not nil.
func (c *Client) request(ctx context.Context, method, path string, in any, header http.Header) (*http.Response, error) {
	if p, _, _ := strings.Cut(path, "?"); strings.Contains(p, "//") || strings.HasSuffix(p, "/") {
		return nil, errNameless
	}
	var body io.Reader
	if in != nil {
		b, err := marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://tenon"+path, body)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if e := (*url.Error)(nil); errors.As(err, &e) {
			err = e.Err // nobody typed the URL
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close() //nolint:errcheck // it was only read
		return nil, readError(resp)
	}
	return resp, nil
}

// errAnswer: what the node answers is no [Error], as it is from one that does not know the path.
var errAnswer = errors.New("the node answers")

func readError(resp *http.Response) error {
	var e Error
	err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&e)
	if err != nil || e.Message == "" {
		return fmt.Errorf("%w %s", errAnswer, resp.Status)
	}
	return e.hinted()
}

// call sends in and reads the answer into out, both if not nil.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.request(ctx, method, path, in, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	if out == nil {
		return nil
	}
	return json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out)
}

func get[T any](ctx context.Context, c *Client, path string) (out T, err error) {
	err = c.call(ctx, http.MethodGet, path, nil, &out)
	return out, err
}

func post[T any](ctx context.Context, c *Client, path string, in any) (out T, err error) {
	err = c.call(ctx, http.MethodPost, path, in, &out)
	return out, err
}
