package folder

import (
	"errors"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// discard takes what package net/http has to say of clients.
var discard = log.New(io.Discard, "", 0)

var _ fs.FS = files{}

// files are what of a folder is served.
type files struct {
	all    fs.FS // of root
	root   *os.Root
	hidden bool
}

// Open opens a file or folder. All that is not served is not there: what is hidden, what
// a symbolic link leads to outside, devices, pipes.
func (f files) Open(name string) (fs.File, error) {
	gone := &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	if !f.hidden && slices.ContainsFunc(strings.Split(name, "/"), isHidden) {
		return nil, gone
	}
	if fi, err := f.root.Stat(name); err == nil && !served(fi) { // to open a pipe would take until somebody writes
		return nil, gone
	}
	file, err := f.all.Open(name)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return nil, err
		}
		return nil, gone
	}
	fi, err := file.Stat()
	if err != nil || !served(fi) { // it was another one a moment ago
		file.Close() //nolint:errcheck // nothing was written
		return nil, gone
	}
	if dir, ok := file.(fs.ReadDirFile); ok && fi.IsDir() && !f.hidden {
		return shown{dir}, nil
	}
	return file, nil
}

func served(fi fs.FileInfo) bool { return fi.IsDir() || fi.Mode().IsRegular() }

// isHidden tells whether a part of a path is that of a hidden file; "." is the folder itself.
func isHidden(name string) bool { return name != "." && strings.HasPrefix(name, ".") }

// shown is a folder without what is hidden.
type shown struct{ fs.ReadDirFile }

// ReadDir lists the folder.
func (d shown) ReadDir(n int) ([]fs.DirEntry, error) {
	all, err := d.ReadDirFile.ReadDir(n)
	return slices.DeleteFunc(all, func(e fs.DirEntry) bool { return isHidden(e.Name()) }), err
}

// A handler answers requests that may be answered.
type handler struct {
	hosts []string
	files http.Handler
}

// ServeHTTP answers GET and HEAD for hosts that are this one. A page whose name is made
// to lead to this machine is, for the browser, of the same origin as what is served here;
// its Host gives it away.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "this folder can only be read", http.StatusMethodNotAllowed)
	case !h.isHere(r.Host):
		http.Error(w, "this is not that host; the address of the folder says which ones it is, as in host=example.org", http.StatusMisdirectedRequest)
	default:
		h.files.ServeHTTP(w, r)
	}
}

func (h *handler) isHere(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if _, err := netip.ParseAddr(host); err == nil || !strings.Contains(host, ".") || strings.HasSuffix(host, ".localhost") {
		return true
	}
	return slices.ContainsFunc(h.hosts, func(name string) bool { return name == "*" || strings.EqualFold(name, host) })
}
