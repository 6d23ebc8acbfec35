// Package devtools is a Chromium without a window, for tests of pages: it is driven over its own WebSocket
// (the Chrome DevTools Protocol) by an end of Tenon.
package devtools

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/transport"
)

// patience is how long a browser on a busy machine may take for anything.
const patience = 60 * time.Second

// A Browser is one that runs. Its tests are one goroutine.
type Browser struct {
	testing.TB
	conn transport.MsgConn
	last int       // number of the last call
	told []message // of downloads, that nobody has waited for yet
}

// A Tab is a page in a browser, with cookies and caches of its own.
type Tab struct {
	*Browser
	target, session, context string
}

// message is what the browser says.
type message struct {
	ID     int
	Method string // of an event
	Params json.RawMessage
	Result json.RawMessage
	Error  *struct{ Message string }
}

// Params are those of a method.
type Params map[string]any

// Start starts a Chromium by start, which has it end with the test.
func Start(t testing.TB, start func(*exec.Cmd)) *Browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is not installed: apt-get install chromium")
	}
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--hide-scrollbars",
		"--user-data-dir="+t.TempDir(), "--remote-debugging-port=0", "about:blank")
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(cmd)
	address := ""
	lines := bufio.NewScanner(said)
	for address == "" && lines.Scan() {
		_, address, _ = strings.Cut(lines.Text(), "DevTools listening on ")
	}
	go readOn(lines)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := tenon.Dial(ctx, address+",max-message=64M")
	if err != nil {
		t.Fatalf("the browser's WebSocket at %q: %v", address, err)
	}
	t.Cleanup(func() { transport.Abort(conn, nil) }) //nolint:errcheck // it is over
	return &Browser{TB: t, conn: conn.(transport.MsgConn)}
}

// readOn reads what the browser says, so that it does not wait for that.
func readOn(lines *bufio.Scanner) {
	for lines.Scan() {
	}
}

// Call calls a method of the browser, or of a tab, and puts what it returns into
// result.
func (b *Browser) Call(session, method string, params, result any) {
	b.Helper()
	b.last++
	request := map[string]any{"id": b.last, "method": method, "params": params}
	if session != "" {
		request["sessionId"] = session
	}
	text, err := json.Marshal(request)
	if err != nil {
		b.Fatal(err)
	}
	b.conn.SetDeadline(time.Now().Add(patience)) //nolint:errcheck // then it waits
	if err := b.conn.WriteMsg(text, transport.Meta{Text: true}); err != nil {
		b.Fatalf("%s: %v", method, err)
	}
	for {
		m := b.next(method)
		if m.ID != b.last {
			continue
		}
		if m.Error != nil {
			b.Fatalf("%s: %s", method, m.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				b.Fatalf("%s: %v", method, err)
			}
		}
		return
	}
}

// next reads a message, and remembers it if it is an event.
func (b *Browser) next(method string) (m message) {
	b.Helper()
	text, _, err := b.conn.(transport.MsgLender).LendMsg()
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		b.Fatalf("%s: %v", method, err)
	}
	if strings.HasPrefix(m.Method, "Browser.") {
		b.told = append(b.told, m)
	}
	return m
}

// Await waits for an event of which is says that it is the one.
func (b *Browser) Await(event string, is func(params json.RawMessage) bool) {
	b.Helper()
	b.conn.SetDeadline(time.Now().Add(patience)) //nolint:errcheck // then it waits
	for {
		for len(b.told) > 0 {
			m := b.told[0]
			if b.told = b.told[1:]; m.Method == event && is(m.Params) {
				return
			}
		}
		b.next(event)
	}
}

// Open opens a page as somebody else's browser would, with nothing kept in common.
func (b *Browser) Open(url string) *Tab {
	b.Helper()
	var got struct{ BrowserContextID string }
	b.Call("", "Target.createBrowserContext", Params{}, &got)
	return b.open(got.BrowserContextID, url)
}

// Another opens a page in a new tab of the same browser.
func (t *Tab) Another(url string) *Tab {
	t.Helper()
	return t.open(t.context, url)
}

func (b *Browser) open(context, url string) *Tab {
	b.Helper()
	var got struct{ TargetID, SessionID string }
	b.Call("", "Target.createTarget", Params{"url": "about:blank", "browserContextId": context}, &got)
	b.Call("", "Target.attachToTarget", Params{"targetId": got.TargetID, "flatten": true}, &got)
	t := &Tab{b, got.TargetID, got.SessionID, context}
	t.Call(t.session, "Emulation.setDeviceMetricsOverride", Params{"width": 1280, "height": 720, "deviceScaleFactor": 1, "mobile": false}, nil)
	t.Call(t.session, "Page.navigate", Params{"url": url}, nil)
	t.Until(`location.href !== "about:blank" && document.readyState === "complete"`)
	return t
}

// Close closes the tab, whatever it is doing.
func (t *Tab) Close() {
	t.Helper()
	t.Call("", "Target.closeTarget", Params{"targetId": t.target}, nil)
}

// Value returns the value of an expression of JavaScript, when it has one.
func (t *Tab) Value(expression string, into any) {
	t.Helper()
	var got struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description, Value string }
		}
	}
	t.Call(t.session, "Runtime.evaluate", Params{"expression": expression, "awaitPromise": true, "returnByValue": true}, &got)
	if e := got.ExceptionDetails; e != nil {
		t.Fatalf("%s: %s %s %s", expression, e.Text, e.Exception.Description, e.Exception.Value)
	}
	if into != nil {
		if err := json.Unmarshal(got.Result.Value, into); err != nil {
			t.Fatalf("%s: %v", expression, err)
		}
	}
}

// Until waits for a condition in the page, or in the one that it goes to meanwhile. It looks from
// outside: a page that may run no scripts has no timers.
func (t *Tab) Until(condition string) {
	t.Helper()
	var is bool
	for late := time.Now().Add(patience); !is; time.Sleep(20 * time.Millisecond) { // between two looks
		if t.Value("Boolean("+condition+")", &is); !is && time.Now().After(late) {
			var page string
			t.Value(`document.documentElement.outerHTML.slice(0, 1000)`, &page)
			t.Fatalf("it is never so that %s: %s", condition, page)
		}
	}
}

// Press presses a key.
func (t *Tab) Press(key string) {
	t.Helper()
	for _, what := range []string{"keyDown", "keyUp"} {
		t.Call(t.session, "Input.dispatchKeyEvent", Params{"type": what, "key": key}, nil)
	}
}

// Click clicks into the middle of an element.
func (t *Tab) Click(selector string) {
	t.Helper()
	var at struct{ X, Y float64 }
	t.Value(fmt.Sprintf(`(() => { const b = document.querySelector(%q).getBoundingClientRect(); return {X: b.x + b.width / 2, Y: b.y + b.height / 2}; })()`, selector), &at)
	for _, what := range []string{"mousePressed", "mouseReleased"} {
		t.Call(t.session, "Input.dispatchMouseEvent", Params{"type": what, "x": at.X, "y": at.Y, "button": "left", "clickCount": 1}, nil)
	}
}

// Choose has an element for files be given some, as a person would choose them.
func (t *Tab) Choose(selector string, files ...string) {
	t.Helper()
	var got struct{ Result struct{ ObjectID string } }
	t.Call(t.session, "Runtime.evaluate", Params{"expression": fmt.Sprintf("document.querySelector(%q)", selector)}, &got)
	t.Call(t.session, "DOM.setFileInputFiles", Params{"files": files, "objectId": got.Result.ObjectID}, nil)
}

// Drop drops files from elsewhere on a page.
func (t *Tab) Drop(files ...string) {
	t.Helper()
	for _, what := range []string{"dragEnter", "dragOver", "drop"} {
		t.Call(t.session, "Input.dispatchDragEvent", Params{"type": what, "x": 100, "y": 100,
			"data": Params{"items": []any{}, "files": files, "dragOperationsMask": 1}}, nil)
	}
}

// Download clicks on a link of which something is saved to a directory, and waits until that is whole.
func (t *Tab) Download(selector, dir string) (name string) {
	t.Helper()
	t.Call("", "Browser.setDownloadBehavior", Params{"behavior": "allow", "browserContextId": t.context, "downloadPath": dir, "eventsEnabled": true}, nil)
	t.Click(selector)
	t.Await("Browser.downloadWillBegin", func(params json.RawMessage) bool {
		var v struct{ SuggestedFilename string }
		err := json.Unmarshal(params, &v)
		name = v.SuggestedFilename
		return err == nil
	})
	t.Await("Browser.downloadProgress", func(params json.RawMessage) bool {
		var v struct{ State string }
		if err := json.Unmarshal(params, &v); err != nil || v.State == "canceled" {
			t.Fatalf("a download has failed: %v %s", err, params)
		}
		return v.State == "completed"
	})
	return name
}

// Picture returns what the page looks like, as PNG.
func (t *Tab) Picture() (png []byte) {
	t.Helper()
	var got struct{ Data []byte }
	t.Call(t.session, "Page.captureScreenshot", Params{"format": "png"}, &got)
	return got.Data
}
