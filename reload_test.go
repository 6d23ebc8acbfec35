package tenon

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/plan"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// secretFiles has both sides of every option that reads a secret from a file: @S stands for
// the listener's file and @C for that of who dials HOST:PORT. Both files hold u:SECRET.
var secretFiles = []struct{ listen, dial string }{
	{"ws-listen:127.0.0.1:0,user=me,password=@S", "ws:ADDR,user=me,password=@C"},
	{"ws-listen:127.0.0.1:0,token=@S", "ws:ADDR,token=@C"},
	{"socks5-listen:127.0.0.1:0,proxy-user=me,proxy-password=@S", "socks5:ADDR:192.0.2.1:9,socksuser=me,sockspass=@C"},
	{"http-proxy-listen:127.0.0.1:0,users=@S", "proxy:ADDR:192.0.2.1:9,proxyauth=@C"},
	{"socks5-listen:127.0.0.1:0,proxy-user=me,proxy-password=@S", "tcp:192.0.2.1:9,via=socks5://me:@C@ADDR"},
	{"http-proxy-listen:127.0.0.1:0,proxy-user=me,proxy-password=@S", "tcp:192.0.2.1:9,via=http://me:@C@ADDR"},
}

// notSecret is the options with such a file whose content another test looks at.
var notSecret = []string{"proxy-header"}

// What a file of secrets says counts at once, at both sides, when it has changed and can
// be used. Otherwise what it said goes on: it never comes to be that nobody is asked.
// Reload takes all files or none, and says which one is bad.
func TestSecretsAreReadAgain(t *testing.T) {
	for i, tt := range secretFiles {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			dir := t.TempDir()
			server, client := filepath.Join(dir, "server"), filepath.Join(dir, "client")
			put := func(file, text string) {
				t.Helper()
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			put(server, "u:one\n")
			put(client, "u:one\n")
			var o Opener
			acc, err := o.Listen(t.Context(), strings.ReplaceAll(tt.listen, "@S", "@"+server))
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan struct{})
			go func() {
				defer close(served)
				answerAll(acc)
			}()
			defer func() {
				acc.Close()
				<-served
			}()
			// One plan for all, as a service has for its other end.
			dial, err := plan.Parse(strings.NewReplacer("@C", "@"+client, "ADDR", acc.Addr().String()).Replace(tt.dial), DefaultKinds())
			if err != nil {
				t.Fatal(err)
			}
			gets := func(in bool, when string) {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				c, err := o.serve().Dial(ctx, dial)
				if err == nil {
					c.Close()
				}
				if (err == nil) != in {
					t.Errorf("%s: let in %v, want %v: %v", when, err == nil, in, err)
				}
			}
			gets(true, "with the same secret")
			put(server, "u:two\n") // of the same length
			gets(false, "the listener has another one")
			put(client, "u:two\n")
			gets(true, "both have another one")
			for _, bad := range []string{"", "\n", " \t\n", strings.Repeat("x", 2<<20)} {
				put(server, bad)
				gets(true, fmt.Sprintf("the listener's file says %.10q", bad))
				if err := o.Reload(); err == nil || !strings.Contains(err.Error(), server) {
					t.Errorf("the listener's file says %.10q: Reload: error %v, want one with its name", bad, err)
				}
				gets(true, "after a reload that failed")
			}
			os.Remove(server)
			gets(true, "without the file")
			if err := o.Reload(); err == nil || !strings.Contains(err.Error(), server) {
				t.Errorf("without the file: Reload: error %v", err)
			}
			put(server, "u:three\n")
			put(client, "\n")
			if err := o.Reload(); err != nil {
				t.Errorf("Reload: %v", err)
			}
			gets(false, "the listener has a third")
			if _, err := dial.Reload(); err == nil || !strings.Contains(err.Error(), client) {
				t.Errorf("the file of who dials is empty: Reload: error %v", err)
			}
			put(client, "u:three")
			if commit, err := dial.Reload(); err != nil {
				t.Error(err)
			} else {
				commit()
			}
			os.Remove(client)
			gets(true, "both have the third, and one file is gone")
		})
	}
}

// answerAll lets every client that gets through have its way.
func answerAll(acc transport.Acceptor) {
	for {
		c, err := acc.Accept()
		if err != nil {
			return
		}
		if caller, ok := transport.About[transport.Caller](c); ok {
			caller.Answer(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9}, nil)
		}
		c.Close()
	}
}

// No option that reads a secret from a file is left out above, whatever kind has it.
func TestAllSecretFilesAreTried(t *testing.T) {
	var tried strings.Builder
	for _, tt := range secretFiles {
		fmt.Fprintln(&tried, tt.listen, tt.dial)
	}
	for _, k := range DefaultKinds() {
		if k.New == nil {
			continue
		}
		var s opt.Set
		k.New().Bind(&s)
		for d := range s.All() {
			if strings.Contains(d.Type, "@FILE") && !strings.Contains(tried.String(), ","+d.Name+"=") && !slices.Contains(notSecret, d.Name) {
				t.Errorf("%s: nobody has tried to change the file of %s=", k.Name, d.Name)
			}
		}
	}
}
