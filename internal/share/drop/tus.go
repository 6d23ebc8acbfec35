package drop

import (
	"crypto/sha1" //nolint:gosec // the protocol has it; it is no proof of who sends
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The protocol is tus 1.0.0; names in comments are its headings.
const (
	tusVersion    = "1.0.0"
	tusExtensions = "creation,creation-with-upload,checksum,termination,expiration"
	tusSums       = "sha1,sha256"

	files = "files/" // below which uploads are
	chunk = "application/offset+octet-stream"

	statusChecksum = 460 // Checksum: "Checksum Mismatch"
)

var errChecksum = &problem{statusChecksum, "What has come is not what was sent."}

// tus answers below files/.
func (d *Drop) tus(w http.ResponseWriter, r *http.Request, id string) {
	h := w.Header()
	h.Set("Tus-Resumable", tusVersion)
	h.Set("Cache-Control", "no-store") // HEAD
	method := r.Method
	if over := r.Header.Get("X-HTTP-Method-Override"); over != "" && method == http.MethodPost { // X-HTTP-Method-Override
		method = over
	}
	if method != http.MethodOptions && r.Header.Get("Tus-Resumable") != tusVersion { // Tus-Version
		h.Set("Tus-Version", tusVersion)
		http.Error(w, "The protocol here is tus "+tusVersion+".", http.StatusPreconditionFailed)
		return
	}
	switch {
	case method == http.MethodOptions:
		d.tusOptions(w)
	case id == "" && method == http.MethodPost:
		d.tusCreate(w, r)
	case id != "" && method == http.MethodHead:
		d.tusHead(w, r, id)
	case id != "" && method == http.MethodPatch:
		d.tusPatch(w, r, id)
	case id != "" && method == http.MethodDelete:
		d.tusDelete(w, r, id)
	default:
		h.Set("Allow", "OPTIONS, POST, HEAD, PATCH, DELETE")
		http.Error(w, "This cannot be done here.", http.StatusMethodNotAllowed)
	}
}

// tusOptions says what there is (OPTIONS).
func (d *Drop) tusOptions(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Tus-Version", tusVersion)
	h.Set("Tus-Extension", tusExtensions)
	h.Set("Tus-Checksum-Algorithm", tusSums)
	d.mu.Lock()
	left, limited := d.left()
	d.mu.Unlock()
	if limited {
		h.Set("Tus-Max-Size", strconv.FormatInt(left, 10))
	}
	w.WriteHeader(http.StatusNoContent)
}

// tusCreate begins an upload (Creation, Creation With Upload).
func (d *Drop) tusCreate(w http.ResponseWriter, r *http.Request) {
	rec := record{Meta: r.Header.Get("Upload-Metadata")}
	meta, err := parseMeta(rec.Meta)
	if err == nil {
		rec.Size, err = number(r.Header, "Upload-Length")
	}
	rec.Name = meta["filename"]
	if rec.Name == "" {
		rec.Name = meta["name"] // Uppy
	}
	if err == nil && rec.Name == "" {
		err = &problem{http.StatusBadRequest, "The file needs a name: filename in Upload-Metadata."}
	}
	if ms, err := strconv.ParseInt(meta["modified"], 10, 64); err == nil && ms > 0 && ms < time.Now().UnixMilli() {
		rec.Changed = time.UnixMilli(ms)
	}
	var check *checksum
	if err == nil {
		check, err = parseChecksum(r.Header)
	}
	var u *upload
	if err == nil {
		u, err = d.create(newWriter(w, r.Body), rec)
	}
	if err != nil {
		d.refused(w, r, rec.Name, err)
		return
	}
	defer d.release(u)
	d.tell(Event{Kind: Begun, Name: u.Name, Bytes: u.Size, From: from(r)})
	w.Header().Set("Location", d.Path()+files+u.id)
	if r.Header.Get("Content-Type") == chunk {
		err = d.write(u, check)
	}
	d.answer(w, r, u, err, http.StatusCreated)
}

// tusHead says how far an upload is (HEAD). Nobody writes to it any more when it is told.
func (d *Drop) tusHead(w http.ResponseWriter, r *http.Request, id string) {
	u, err := d.take(r.Context(), id, newWriter(w, r.Body))
	if err != nil {
		w.WriteHeader(reason(err).status)
		return
	}
	defer d.release(u)
	if err := d.whole(r, u); err != nil {
		w.WriteHeader(reason(err).status)
		return
	}
	if u.Meta != "" {
		w.Header().Set("Upload-Metadata", u.Meta)
	}
	w.Header().Set("Upload-Length", strconv.FormatInt(u.Size, 10))
	d.where(w, u)
	w.WriteHeader(http.StatusOK)
}

// where says how far an upload is, and how long it waits (Expiration).
func (d *Drop) where(w http.ResponseWriter, u *upload) {
	w.Header().Set("Upload-Offset", strconv.FormatInt(u.Offset, 10))
	if u.Offset < u.Size {
		w.Header().Set("Upload-Expires", u.until().UTC().Format(http.TimeFormat))
	}
}

// tusPatch takes more of an upload (PATCH, Checksum).
func (d *Drop) tusPatch(w http.ResponseWriter, r *http.Request, id string) {
	if r.Header.Get("Content-Type") != chunk {
		http.Error(w, "Content-Type must be "+chunk+".", http.StatusUnsupportedMediaType)
		return
	}
	offset, err := number(r.Header, "Upload-Offset")
	var check *checksum
	if err == nil {
		check, err = parseChecksum(r.Header)
	}
	var u *upload
	if err == nil {
		u, err = d.take(r.Context(), id, newWriter(w, r.Body))
	}
	if err != nil {
		http.Error(w, reason(err).text, reason(err).status)
		return
	}
	defer d.release(u)
	switch {
	case offset != u.Offset:
		d.where(w, u)
		http.Error(w, "The file goes on at another byte.", http.StatusConflict)
		return
	case r.ContentLength > u.Size-u.Offset:
		err = errQuota
	case u.Offset < u.Size:
		err = d.write(u, check)
	}
	d.answer(w, r, u, err, http.StatusNoContent)
}

// answer answers to what was written, and gives a file its name that is whole.
func (d *Drop) answer(w http.ResponseWriter, r *http.Request, u *upload, err error, status int) {
	if err == nil {
		err = d.whole(r, u)
	}
	d.where(w, u)
	if err != nil {
		http.Error(w, reason(err).text, reason(err).status)
		return
	}
	w.WriteHeader(status)
}

// whole gives a file its name if it is whole.
func (d *Drop) whole(r *http.Request, u *upload) (err error) {
	if u.Offset == u.Size && !u.Landed {
		if err = d.land(from(r), u); err != nil {
			d.tell(Event{Kind: Refused, Name: u.Name, From: from(r), Text: err.Error()})
		}
	}
	return err
}

// tusDelete ends an upload (Termination). What has landed stays: it is not of who sent it any more.
func (d *Drop) tusDelete(w http.ResponseWriter, r *http.Request, id string) {
	u, err := d.take(r.Context(), id, newWriter(w, r.Body))
	if err != nil {
		http.Error(w, reason(err).text, reason(err).status)
		return
	}
	defer d.release(u)
	if u.Landed {
		http.Error(w, "The file has come.", http.StatusForbidden)
		return
	}
	d.give(from(r), u, "it was taken back")
	w.WriteHeader(http.StatusNoContent)
}

// number reads a header that is a number.
func number(h http.Header, name string) (int64, error) {
	n, err := strconv.ParseUint(h.Get(name), 10, 63)
	if err != nil {
		return 0, &problem{http.StatusBadRequest, name + " must be a number."}
	}
	return int64(n), nil
}

// parseMeta reads Upload-Metadata (Creation): keys and values in Base64.
func parseMeta(text string) (map[string]string, error) {
	all := map[string]string{}
	if text == "" {
		return all, nil
	}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(pair), " ")
		b, err := base64.StdEncoding.DecodeString(value)
		if _, twice := all[key]; err != nil || key == "" || twice {
			return all, &problem{http.StatusBadRequest, "Upload-Metadata is wrong."}
		}
		all[key] = string(b)
	}
	return all, nil
}

// A checksum is what a part of a file must have.
type checksum struct {
	hash func() hash.Hash
	want []byte
}

// new begins one; that of the nil checksum is nil.
func (c *checksum) new() hash.Hash {
	if c == nil {
		return nil
	}
	return c.hash()
}

func (c *checksum) is(h hash.Hash) bool { return subtle.ConstantTimeCompare(h.Sum(nil), c.want) == 1 }

// parseChecksum reads Upload-Checksum (Checksum); nil is none.
func parseChecksum(h http.Header) (*checksum, error) {
	text := h.Get("Upload-Checksum")
	if text == "" {
		return nil, nil
	}
	name, sum, _ := strings.Cut(text, " ")
	c := &checksum{}
	switch name {
	case "sha1":
		c.hash = sha1.New
	case "sha256":
		c.hash = sha256.New
	default:
		return nil, &problem{http.StatusBadRequest, "Upload-Checksum must be one of " + tusSums + "."}
	}
	var err error
	if c.want, err = base64.StdEncoding.DecodeString(sum); err != nil || len(c.want) != c.new().Size() {
		return nil, errors.Join(err, &problem{http.StatusBadRequest, "Upload-Checksum is wrong."})
	}
	return c, nil
}
