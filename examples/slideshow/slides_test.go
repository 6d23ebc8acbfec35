package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestSlides(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"# A *b*", "<h1>A <em>b</em></h1>"},
		{"## A\n### B", "<h2>A</h2>\n<h3>B</h3>"},
		{"#no", "<p>#no\n</p>"},
		{"one\ntwo\n\nthree", "<p>one\ntwo\n</p>\n<p>three\n</p>"},
		{"- a\n- b\nc", "<ul><li>a</li>\n<li>b</li>\n</ul>\n<p>c\n</p>"},
		{"```\n<b> *x*\n---\n```\ny", "<pre>&lt;b&gt; *x*\n---\n</pre>\n<p>y\n</p>"},
		{"```\nopen", "<pre>open\n</pre>"},
		{"`<i>` **b** [t](https://h/?a&b)", `<p><code>&lt;i&gt;</code> <strong>b</strong> <a href="https://h/?a&amp;b" rel="noopener" target="_blank">t</a>` + "\n</p>"},
		{"[t](javascript:x) 2*3", "<p>[t](javascript:x) 2*3\n</p>"},
		{`![a "b"](x y.png)`, `<figure><img src="/media/x%20y.png" alt="a &#34;b&#34;"></figure>`},
		{"![a](../x.png)", "<p>(../x.png is not beside the slides)</p>"},
	} {
		d := parseDeck(test.in)
		if len(d.Slides) != 1 {
			t.Errorf("%q: %d slides", test.in, len(d.Slides))
			continue
		}
		if got := strings.TrimSpace(string(d.Slides[0].HTML)); got != test.want {
			t.Errorf("%q\n got %q\nwant %q", test.in, got, test.want)
		}
	}
}

func TestDeck(t *testing.T) {
	d := parseDeck("\n# Hello\n\n----\n---\n![v](video)\n![v](video)\n\n---\nend\r\n")
	if d.Title != "Hello" || len(d.Slides) != 3 {
		t.Fatalf("%q, %d slides", d.Title, len(d.Slides))
	}
	for i, video := range []bool{false, true, false} {
		if d.Slides[i].Video != video {
			t.Errorf("slide %d: video %v", i+1, d.Slides[i].Video)
		}
	}
	if n := strings.Count(string(d.Slides[1].HTML), "<canvas"); n != 1 {
		t.Errorf("%d videos on one slide", n)
	}
}

func TestLoadDeck(t *testing.T) {
	d, err := loadDeck("")
	if err != nil {
		t.Fatal(err)
	}
	for name := range d.images {
		if f, err := d.files.Open(name); err != nil {
			t.Errorf("an image of the built-in slides: %v", err)
		} else {
			f.Close()
		}
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"good.md": "# Mine", "empty.md": "\n---\n", "long.md": strings.Repeat("a", maxSlides+1)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if d, err := loadDeck(filepath.Join(dir, "good.md")); err != nil || d.Title != "Mine" {
		t.Errorf("slides from a file: %v, %v", d, err)
	}
	for _, name := range []string{"empty.md", "long.md", "none.md"} {
		if _, err := loadDeck(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was loaded", name)
		}
	}
}

// Whatever is in a slide, it makes no element and no attribute of its own.
func FuzzSlides(f *testing.F) {
	f.Add("# a\n- `b` **c** *d*\n```\n<e>\n```\n![f](video)\n![g](h.png)\n---\n[i](https://j/\"k)")
	f.Add(`![" onload="x](a"b.png)` + "\n<script>")
	known := regexp.MustCompile(`</?(h[123]|p|ul|li|pre|code|strong|em|figure|figcaption|span|a|canvas)>` +
		`|<a href="https?://[^"<>]*" rel="noopener" target="_blank">` +
		`|<img src="/media/[^"<>]*" alt="[^"<>]*">` +
		`|<canvas width="960" height="540" role="img" aria-label="[^"<>]*">` +
		`|<(figure|p|span) class="(video|message|pace)"( role="status")?>`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range parseDeck(text).Slides {
			if rest := known.ReplaceAllString(string(s.HTML), ""); strings.ContainsAny(rest, "<>") {
				t.Errorf("%q makes %q", text, rest)
			}
		}
	})
}
