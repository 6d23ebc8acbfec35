package drop

import (
	"errors"
	"io"
	"net/http"

	"github.com/tenon-net/tenon/internal/neutral"
)

// form takes files of a form, for browsers without JavaScript: each is whole, or not there (RFC 7578). How large
// they are is not known before their end, but not larger than the whole form.
func (d *Drop) form(w http.ResponseWriter, r *http.Request) {
	reader, err := r.MultipartReader()
	if err != nil {
		http.Error(w, "This is no form with files.", http.StatusBadRequest)
		return
	}
	if r.ContentLength < 0 {
		http.Error(w, "How long the form is must be known.", http.StatusLengthRequired)
		return
	}
	var results []result
	status := http.StatusOK // or why the first one that is not taken is not
	for len(results) < maxResults {
		newWriter(w, nil).wait()
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			panic(http.ErrAbortHandler) // it was cut, and nobody is there to hear of it
		}
		name := part.FileName() // without directories
		if name == "" {
			continue // a field without a file
		}
		err = d.formFile(r, name, newWriter(w, part))
		switch {
		case errors.Is(err, errCut):
			panic(http.ErrAbortHandler)
		case err != nil:
			d.tell(Event{Kind: Refused, Name: name, From: from(r), Text: err.Error()})
			why := reason(err)
			if results = append(results, result{neutral.Line(name), why.text}); status == http.StatusOK {
				status = why.status
			}
			newWriter(w, part).skip()
		default:
			results = append(results, result{Name: neutral.Line(name)})
		}
	}
	d.show(w, r, status, results)
}

// maxResults is of how many files a page says what has become of them.
const maxResults = 1000

// skip reads what nobody wants: most browsers show no answer to a form before they have sent it.
func (w *writer) skip() {
	buf := make([]byte, 64<<10)
	for {
		if _, err := w.fill(buf); err != nil {
			return
		}
	}
}

// formFile takes one file of a form.
func (d *Drop) formFile(r *http.Request, name string, w *writer) error {
	d.mu.Lock()
	most, limited := d.left()
	d.mu.Unlock()
	switch {
	case limited && most == 0:
		return errQuota
	case !limited:
		most = r.ContentLength
	}
	u, err := d.create(w, record{Name: name, Size: min(most, r.ContentLength), Once: true})
	if err != nil {
		return err
	}
	defer d.release(u)
	if err = d.write(u, nil); err == nil {
		d.mu.Lock()
		u.Size = u.Offset
		err = d.note(u)
		d.mu.Unlock()
	}
	if err == nil {
		err = d.land(from(r), u)
	}
	if err != nil {
		d.give(from(r), u, "it has not come whole")
	}
	return err
}
