package main

import (
	"embed"
	"errors"
	"fmt"
	"hash/fnv"
	"html"
	"html/template"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

//go:embed slides
var builtIn embed.FS

// maxSlides is the length in bytes of the longest file of slides.
const maxSlides = 1 << 20

// A deck is slides and the images on them.
type deck struct {
	Title  string // the first heading
	ID     string // tells decks apart
	Slides []slide
	files  fs.FS           // where the images are
	images map[string]bool // that slides show, by name in files
}

// A slide is one screen.
type slide struct {
	HTML  template.HTML
	Video bool // it shows the video
}

// loadDeck reads slides from a file, or the built-in ones if path is "". Images are
// found beside the file.
func loadDeck(path string) (*deck, error) {
	dir, name := fs.FS(nil), "slides.md"
	if path == "" {
		var err error
		if dir, err = fs.Sub(builtIn, "slides"); err != nil {
			return nil, err
		}
	} else {
		root, err := os.OpenRoot(filepath.Dir(path)) // stays open: images are read from it
		if err != nil {
			return nil, err
		}
		dir, name = root.FS(), filepath.Base(path)
	}
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSlides+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSlides {
		return nil, fmt.Errorf("%s: slides of more than %d bytes", path, maxSlides)
	}
	d := parseDeck(string(text))
	if len(d.Slides) == 0 {
		return nil, errors.New(path + ": there is no slide in it")
	}
	d.files = dir
	return d, nil
}

// clamp returns the slide nearest to number n.
func (d *deck) clamp(n int) int { return max(0, min(n, len(d.Slides)-1)) }

// parseDeck reads slides, with a line of three or more dashes between two. A slide
// is written in a little of Markdown: headings with #, lists with -, code between
// lines of ```, paragraphs, and in them `code`, **strong**, *emphasis* and
// [links](https://...). An image, ![what it shows](file.png), has a line of its
// own; ![what it shows](video) is the video.
func parseDeck(text string) *deck {
	d := &deck{Title: "Slides", images: map[string]bool{}}
	hash := fnv.New64a()
	io.WriteString(hash, text)
	d.ID = strconv.FormatUint(hash.Sum64(), 36)
	p := &slideParser{deck: d}
	for line := range strings.SplitSeq(text, "\n") {
		p.line(strings.TrimRight(line, " \t\r"))
	}
	p.endSlide()
	return d
}

// A slideParser makes HTML of lines.
type slideParser struct {
	deck   *deck
	out    strings.Builder
	open   string // the element that is open: "p", "ul", "pre" or ""
	video  bool
	titled bool
}

func (p *slideParser) line(line string) {
	heading := strings.TrimLeft(line, "#")
	level := len(line) - len(heading)
	image := imageLine.FindStringSubmatch(line)
	switch {
	case strings.HasPrefix(line, "```"):
		if wasCode := p.open == "pre"; wasCode {
			p.enter("")
		} else {
			p.enter("pre")
		}
	case p.open == "pre":
		p.out.WriteString(html.EscapeString(line) + "\n")
	case len(line) >= 3 && strings.Trim(line, "-") == "":
		p.endSlide()
	case line == "":
		p.enter("")
	case level >= 1 && level <= 3 && strings.HasPrefix(heading, " "):
		p.enter("")
		p.heading(level, strings.TrimSpace(heading))
	case strings.HasPrefix(line, "- "):
		p.enter("ul")
		p.out.WriteString("<li>" + inline(line[2:]) + "</li>\n")
	case image != nil:
		p.enter("")
		p.image(image[1], image[2])
	default:
		p.enter("p")
		p.out.WriteString(inline(line) + "\n")
	}
}

// enter closes the element that is open, if it is another, and opens this one.
func (p *slideParser) enter(element string) {
	if p.open == element {
		return
	}
	if p.open != "" {
		p.out.WriteString("</" + p.open + ">\n")
	}
	if p.open = element; element != "" {
		p.out.WriteString("<" + element + ">")
	}
}

func (p *slideParser) heading(level int, text string) {
	if !p.titled {
		p.deck.Title, p.titled = text, true
	}
	fmt.Fprintf(&p.out, "<h%d>%s</h%d>\n", level, inline(text), level)
}

func (p *slideParser) image(what, name string) {
	what = html.EscapeString(what)
	switch {
	case name == "video" && p.video:
		p.out.WriteString("<p>(the video is on this slide already)</p>\n")
	case name == "video":
		p.video = true
		fmt.Fprintf(&p.out, `<figure class="video"><canvas width="960" height="540" role="img" aria-label="%s"></canvas>`+
			`<p class="message" role="status"></p><figcaption><span>%s</span><span class="pace"></span></figcaption></figure>`+"\n", what, what)
	case !fs.ValidPath(name):
		fmt.Fprintf(&p.out, "<p>(%s is not beside the slides)</p>\n", html.EscapeString(name))
	default:
		p.deck.images[name] = true
		fmt.Fprintf(&p.out, `<figure><img src="/media/%s" alt="%s"></figure>`+"\n", html.EscapeString((&url.URL{Path: name}).EscapedPath()), what)
	}
}

func (p *slideParser) endSlide() {
	p.enter("")
	if text := p.out.String(); text != "" {
		p.deck.Slides = append(p.deck.Slides, slide{template.HTML(text), p.video})
	}
	p.out.Reset()
	p.video = false
}

var (
	imageLine = regexp.MustCompile(`^!\[([^\]]*)\]\(([^)]+)\)$`)
	inlines   = regexp.MustCompile("`([^`]+)`" + `|\*\*([^*]+)\*\*|\*([^*]+)\*|\[([^\]]+)\]\((https?://[^)\s]+)\)`)
)

// inline makes HTML of the text of a paragraph.
func inline(text string) string {
	var b strings.Builder
	at := 0
	for _, m := range inlines.FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(html.EscapeString(text[at:m[0]]))
		at = m[1]
		group := func(n int) string {
			if m[2*n] < 0 {
				return ""
			}
			return html.EscapeString(text[m[2*n]:m[2*n+1]])
		}
		switch {
		case m[2] >= 0:
			b.WriteString("<code>" + group(1) + "</code>")
		case m[4] >= 0:
			b.WriteString("<strong>" + group(2) + "</strong>")
		case m[6] >= 0:
			b.WriteString("<em>" + group(3) + "</em>")
		default:
			b.WriteString(`<a href="` + group(5) + `" rel="noopener" target="_blank">` + group(4) + "</a>")
		}
	}
	return b.String() + html.EscapeString(text[at:])
}
