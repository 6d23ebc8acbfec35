//go:build unix

package irctest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// servers is the network list of HexChat with one network, at which it logs in with SASL (L=6) and no settings of all networks (F=9).
const servers = `v=2.16.1

N=Tenon
I=somebody
U=alice@hexchat
R=Alice
P=%s
L=6
E=UTF-8 (Unicode)
F=9
D=0
S=127.0.0.1/%d
`

// addon writes what HexChat shows to standard output, and types what is in the file "typed", in the window that "/window NAME" has
// chosen.
const addon = `hexchat.register('typist', '1', 'types what a test wants')
local function put(s) io.stdout:write(hexchat.strip(s) .. '\n') io.stdout:flush() end
for _, event in ipairs{'Channel Message', 'Channel Msg Hilight', 'Private Message', 'Private Message to Dialog', 'Your Message', 'Your Action', 'Topic Change', 'Notice', 'You Join'} do
  hexchat.hook_print(event, function(words) put(event .. ': ' .. table.concat(words, ' | ')) end)
end
local typed, name = io.open(hexchat.get_info('configdir') .. '/typed'), nil
hexchat.hook_timer(50, function()
  typed:seek('cur', 0)
  local line = typed:read('*l')
  if not line then return true end
  local window = line:match('^/window (.*)')
  if window then
    name = window
    if not hexchat.find_context(nil, name) then hexchat.command('QUERY ' .. name) end
  elseif line:sub(1, 1) == '/' then
    hexchat.find_context(nil, name):command(line:sub(2))
  else
    hexchat.find_context(nil, name):command('SAY ' .. line)
  end
  return true
end)
`

// HexChat is Irssi for HexChat, on an X server of its own. Room is the name of the first room.
func HexChat(t *testing.T, port int, password, room string) *Client {
	t.Helper()
	for _, name := range []string{"hexchat", "Xvfb"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("no %s on this machine", name)
		}
	}
	if lua, err := filepath.Glob("/usr/lib*/*/hexchat/plugins/lua.so"); err != nil || len(lua) == 0 {
		t.Skip("no addons in Lua for HexChat on this machine")
	}
	display := xvfb(t)
	home, err := os.MkdirTemp("", "hexchat") // which another user can get into
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) }) //nolint:errcheck // it is for temporary files
	files := map[string]string{"servlist.conf": fmt.Sprintf(servers, password, port), "hexchat.conf": "gui_slist_skip = 1\n", "addons/typist.lua": addon, "typed": ""}
	for name, text := range files {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("hexchat", "-d", home)
	cmd.Env = []string{"HOME=" + home, "LANG=C.UTF-8", "PATH=" + os.Getenv("PATH"), "DISPLAY=" + display, "NO_AT_BRIDGE=1", "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent"}
	if os.Getuid() == 0 { // it asks root whether that is a good idea, and waits
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		for _, name := range []string{".", "addons", "servlist.conf", "hexchat.conf"} {
			if err := os.Chown(filepath.Join(home, name), nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	s := &Screen{t: t, more: make(chan struct{}, 1)}
	done := make(chan struct{})
	go s.read(out, done)
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may be over
		<-done
		cmd.Wait() //nolint:errcheck // it was killed
	})
	if s.keys, err = os.OpenFile(filepath.Join(home, "typed"), os.O_APPEND|os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	}
	s.enter = "\n"
	t.Cleanup(func() { s.keys.Close() }) //nolint:errcheck // nothing is typed any more
	c := &Client{s, "/window " + room, "/window "}
	s.Wait("You Join: ")
	c.Enter(c.Room)
	return c
}

// xvfb starts an X server that shows nothing to anybody, and returns its display.
func xvfb(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("Xvfb", "-displayfd", "1", "-nolisten", "tcp", "-screen", "0", "800x600x24")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may be over
		cmd.Wait()                          //nolint:errcheck // it was ended
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return ":" + strings.TrimSpace(line)
}
