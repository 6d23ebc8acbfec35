//go:build linux

package inet_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// As in socat, udp-datagram receives from anybody, and udp-sendto from its target only.
func TestWhoUDPReceivesFrom(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		for kind, anybody := range map[string]bool{"udp-datagram": true, "udp-sendto": false} {
			for name, read := range map[string]func(transport.Conn) string{
				"ReadMsg": func(c transport.Conn) string {
					p := make([]byte, 64)
					n, _, err := c.(transport.MsgConn).ReadMsg(p)
					return fmt.Sprint(string(p[:n]), err)
				},
				"ReadMsgs": func(c transport.Conn) string {
					var ms [1]transport.Msg
					_, err := c.(transport.MsgBatcher).ReadMsgs(ms[:])
					return fmt.Sprint(string(ms[0].Buf), err)
				},
			} {
				target := udpOpen(t, "udp-recv:"+host+":0")
				c := udpOpen(t, kind+":"+target.LocalAddr().String()+",bind="+host)
				to, err := net.ResolveUDPAddr("udp", fmt.Sprintf("%s:%d", host, c.LocalAddr().(*net.UDPAddr).Port))
				if err != nil {
					t.Fatal(err)
				}
				target.Close()
				stranger, err := net.DialUDP("udp", nil, to)
				if err != nil {
					t.Fatal(err)
				}
				defer stranger.Close()
				friend, err := net.DialUDP("udp", target.LocalAddr().(*net.UDPAddr), to)
				if err != nil {
					t.Fatal(err)
				}
				defer friend.Close()
				for conn, text := range map[*net.UDPConn]string{stranger: "stranger", friend: "friend"} {
					if _, err := conn.Write([]byte(text)); err != nil {
						t.Fatal(err)
					}
				}
				if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
					t.Fatal(err)
				}
				got := map[string]bool{read(c): true}
				if anybody {
					got[read(c)] = true
				}
				if !got["friend<nil>"] || got["stranger<nil>"] != anybody {
					t.Errorf("%s at %s, %s: received %v", kind, host, name, got)
				}
			}
		}
	}
}
