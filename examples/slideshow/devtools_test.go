//go:build linux

package main

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

// A browser is a Chromium without a window, driven over its own WebSocket (the
// Chrome DevTools Protocol) by an end of Tenon.
type browser struct {
	*testing.T
	conn transport.MsgConn
	last int // number of the last call
}

// A tab is a page in a browser, with cookies and caches of its own.
type tab struct {
	*browser
	session string
}

// startBrowser starts a Chromium that ends with the test.
func startBrowser(t *testing.T) *browser {
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
	startCommand(t, cmd)
	address := ""
	lines := bufio.NewScanner(said)
	for address == "" && lines.Scan() {
		_, address, _ = strings.Cut(lines.Text(), "DevTools listening on ")
	}
	go func() { // so that it does not wait for us to read the rest
		for lines.Scan() {
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := tenon.Dial(ctx, address+",max-message=64M")
	if err != nil {
		t.Fatalf("the browser's WebSocket at %q: %v", address, err)
	}
	t.Cleanup(func() { transport.Abort(conn, nil) })
	return &browser{T: t, conn: conn.(transport.MsgConn)}
}

// call calls a method of the browser, or of a tab, and puts what it returns into
// result. Events are passed over.
func (b *browser) call(session, method string, params, result any) {
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
	b.conn.SetDeadline(time.Now().Add(patience))
	if err := b.conn.WriteMsg(text, transport.Meta{Text: true}); err != nil {
		b.Fatalf("%s: %v", method, err)
	}
	for {
		text, _, err := b.conn.(transport.MsgLender).LendMsg()
		if err != nil {
			b.Fatalf("%s: %v", method, err)
		}
		answer := struct {
			ID     int
			Result json.RawMessage
			Error  *struct{ Message string }
		}{}
		if err := json.Unmarshal(text, &answer); err != nil {
			b.Fatalf("%s: %v", method, err)
		}
		if answer.ID != b.last {
			continue
		}
		if answer.Error != nil {
			b.Fatalf("%s: %s", method, answer.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(answer.Result, result); err != nil {
				b.Fatalf("%s: %v", method, err)
			}
		}
		return
	}
}

type params map[string]any

// open opens a page as somebody else's browser would, with nothing kept in common.
func (b *browser) open(url string) *tab {
	b.Helper()
	var got struct{ BrowserContextID, TargetID, SessionID string }
	b.call("", "Target.createBrowserContext", params{}, &got)
	b.call("", "Target.createTarget", params{"url": "about:blank", "browserContextId": got.BrowserContextID}, &got)
	b.call("", "Target.attachToTarget", params{"targetId": got.TargetID, "flatten": true}, &got)
	t := &tab{b, got.SessionID}
	t.call(t.session, "Emulation.setDeviceMetricsOverride", params{"width": 1280, "height": 720, "deviceScaleFactor": 1, "mobile": false}, nil)
	t.call(t.session, "Page.navigate", params{"url": url}, nil) // returns when the new page has begun
	t.until(`document.readyState === "complete"`)
	return t
}

// value returns the value of an expression of JavaScript, when it has one.
func (t *tab) value(expression string, into any) {
	t.Helper()
	var got struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description, Value string }
		}
	}
	t.call(t.session, "Runtime.evaluate", params{"expression": expression, "awaitPromise": true, "returnByValue": true}, &got)
	if e := got.ExceptionDetails; e != nil {
		t.Fatalf("%s: %s %s %s", expression, e.Text, e.Exception.Description, e.Exception.Value)
	}
	if into != nil {
		if err := json.Unmarshal(got.Result.Value, into); err != nil {
			t.Fatalf("%s: %v", expression, err)
		}
	}
}

// until waits for a condition in the page.
func (t *tab) until(condition string) {
	t.Helper()
	t.value(fmt.Sprintf(`new Promise((yes, no) => {
		const late = setTimeout(() => { clearInterval(again); no(document.documentElement.outerHTML.slice(0, 300)); }, %d);
		const again = setInterval(() => { if (%s) { clearInterval(again); clearTimeout(late); yes(); } }, 20);
	})`, patience.Milliseconds()/2, condition), nil)
}

// press presses a key.
func (t *tab) press(key string) {
	t.Helper()
	for _, what := range []string{"keyDown", "keyUp"} {
		t.call(t.session, "Input.dispatchKeyEvent", params{"type": what, "key": key}, nil)
	}
}

// click clicks into the middle of an element.
func (t *tab) click(selector string) {
	t.Helper()
	var at struct{ X, Y float64 }
	t.value(fmt.Sprintf(`(() => { const b = document.querySelector(%q).getBoundingClientRect(); return {X: b.x + b.width / 2, Y: b.y + b.height / 2}; })()`, selector), &at)
	for _, what := range []string{"mousePressed", "mouseReleased"} {
		t.call(t.session, "Input.dispatchMouseEvent", params{"type": what, "x": at.X, "y": at.Y, "button": "left", "clickCount": 1}, nil)
	}
}

// picture returns what the page looks like, as PNG.
func (t *tab) picture() (png []byte) {
	t.Helper()
	var got struct{ Data []byte }
	t.call(t.session, "Page.captureScreenshot", params{"format": "png"}, &got)
	return got.Data
}
