package main

import (
	"context"
	"embed"
	"errors"
	"html/template"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

//go:embed web
var webFiles embed.FS

// browsers is where the WebSockets of the pages come in: behind the web server, in
// memory, so that page and WebSocket have one port. Tenon's layer ws checks where a
// request comes from and drops browsers that do not answer.
const browsers = "ws+mem-listen:browsers,max=64,ping=15s"

// A server is the page and its WebSockets.
type server struct {
	*show
	sockets transport.Acceptor
	inside  *tenon.Opener // knows the end that browsers names
	page    *template.Template
	wg      sync.WaitGroup // who accepts, and WebSockets
}

func newServer(ctx context.Context, d *deck, v *video) (*server, error) {
	page, err := template.ParseFS(webFiles, "web/index.html")
	if err != nil {
		return nil, err
	}
	s := &server{show: &show{deck: d, video: v}, page: page}
	s.inside = &tenon.Opener{Kinds: append(tenon.DefaultKinds(), new(mem.Network).Kinds()...), Events: tell}
	s.sockets, err = s.inside.Listen(ctx, browsers)
	return s, err
}

func (s *server) close() { s.sockets.Close() }

// serve answers browsers that come to l until ctx is done.
func (s *server) serve(ctx context.Context, l net.Listener) error {
	web := &http.Server{
		Handler:           s.handler(),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	s.wg.Go(func() { s.accept(ctx) })
	defer context.AfterFunc(ctx, func() { s.sockets.Close(); web.Close() })()
	err := web.Serve(l)
	s.sockets.Close()
	s.wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// accept has a session for every WebSocket.
func (s *server) accept(ctx context.Context) {
	for {
		c, err := s.sockets.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			log.Print(err)
		default:
			s.wg.Go(func() { s.session(ctx, c.(transport.MsgConn)) })
		}
	}
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.index)
	mux.HandleFunc("GET /media/{name...}", s.media)
	static, err := fs.Sub(webFiles, "web")
	if err != nil {
		panic(err) // the folder is embedded
	}
	for _, name := range []string{"style.css", "show.js", "icon.svg"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, static, name)
		})
	}
	mux.Handle("GET /live", &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "browsers"
			r.Out.Host = r.In.Host // which the layer ws compares with the origin
		},
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c, err := s.inside.Dial(ctx, "mem:browsers")
			if err != nil {
				return nil, err
			}
			return c.(net.Conn), nil
		}},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			http.Error(w, "the slide show is about to end", http.StatusServiceUnavailable)
		},
	})
	return guard(mux)
}

// guard lets in who asks for this machine by its own name only, and has the browser
// load nothing from elsewhere and run no script that is not a file.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if !ours(r.Host, local) {
			http.Error(w, "this host is not served here", http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

// ours tells whether a request for host may come in: by a name of loopback, or by
// the number that it came to. Any other name may be one that its owner points at
// this machine to have his page read ours (DNS rebinding).
func ours(host string, local net.Addr) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	ip, err := netip.ParseAddr(name)
	if err != nil {
		return strings.EqualFold(name, "localhost")
	}
	if ip.IsLoopback() {
		return true
	}
	tcp, ok := local.(*net.TCPAddr)
	return ok && tcp.AddrPort().Addr().Unmap() == ip.Unmap()
}

func (s *server) index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := s.page.Execute(w, s.deck); err != nil {
		log.Printf("the page: %v", err) // the browser has gone, most likely
	}
}

// media serves the images that slides show, and nothing else of their folder.
func (s *server) media(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if !s.deck.images[name] {
		http.NotFound(w, r)
		return
	}
	http.ServeFileFS(w, r, s.deck.files, name)
}

// scheme is how a browser reaches the listener at address.
func scheme(address string) string {
	if strings.HasPrefix(address, "tls") {
		return "https"
	}
	return "http"
}
