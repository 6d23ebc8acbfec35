package shares

import (
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/page"
	"github.com/tenon-net/tenon/internal/site"
)

// show begins to show the share to browsers, if that was asked for.
func (x *sharing) show() error {
	r := x.record.Request
	if r.Web == "" {
		return nil
	}
	p := page.New(x.record.name(), x.record.Link, (*files)(x), func() (manifest.Index, string) {
		index, root := x.share.Index(), x.share.Status()
		if !root.Final {
			return index, ""
		}
		return index, root.Root.String()
	}, x.refuse)
	s, err := site.Listen(site.Config{At: r.Web, Cert: r.Cert, Key: r.Key}, p.Path(), p)
	if err != nil {
		return err
	}
	x.web = s
	x.of.task(s.Serve)
	return nil
}

// hide ends that.
func (x *sharing) hide() {
	if x.web != nil {
		x.web.Close()
	}
}
