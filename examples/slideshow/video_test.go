package main

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// A studio is a video and the place where fake video programs come in.
type studio struct {
	*testing.T
	*video
	network mem.Network
}

// inStudio runs a test in time of its own.
func inStudio(t *testing.T, test func(s *studio)) {
	synctest.Test(t, func(t *testing.T) {
		s := &studio{T: t, video: new(video)}
		acc, err := (&mem.Listen{Network: &s.network, Name: "video"}).Listen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); s.serve(ctx, acc) }()
		test(s)
		cancel()
		<-done
	})
}

// program is a video program that has come in.
func (s *studio) program() transport.Stream {
	s.Helper()
	c, err := (&mem.Dial{Network: &s.network, Name: "video"}).Dial(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	synctest.Wait()
	return c.(transport.Stream)
}

// send has a program send bytes, and waits until they have been looked at.
func (s *studio) send(c io.Writer, p []byte) {
	s.Helper()
	if _, err := c.Write(p); err != nil {
		s.Error(err)
	}
	synctest.Wait()
}

// want checks what the slide says.
func (s *studio) want(state state, pictures uint64) {
	s.Helper()
	if p, _ := s.newest.get(); p.state != state || p.number != pictures {
		s.Errorf("the video is %q after %d pictures, want %q after %d", p.state, p.number, state, pictures)
	}
}

// after lets time pass.
func (s *studio) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestVideoComesAndGoes(t *testing.T) {
	inStudio(t, func(s *studio) {
		picture := jpegOf(s, 16, 16, 0)
		s.want(waiting, 0)
		s.after(time.Hour)
		s.want(waiting, 0)

		a := s.program()
		s.after(stallAfter - 1)
		s.want(waiting, 0)
		s.send(a, picture)
		s.want(live, 1)
		s.send(a, append(picture, picture...))
		s.want(live, 3)

		s.after(stallAfter - 1)
		s.want(live, 3)
		s.after(1)
		s.want(stalled, 3)
		s.send(a, picture[:len(picture)/2]) // a part is no answer
		s.want(stalled, 3)
		s.send(a, picture[len(picture)/2:])
		s.want(live, 4)

		a.Close()
		synctest.Wait()
		s.want(ended, 4)
		s.after(time.Hour)
		s.want(ended, 4)

		b := s.program()
		s.want(ended, 4)
		s.after(stallAfter)
		s.want(stalled, 4)
		s.send(b, picture)
		s.want(live, 5)
		transport.Abort(b, io.ErrUnexpectedEOF)
		synctest.Wait()
		s.want(ended, 5)
		if p, _ := s.newest.get(); p.why != "" {
			s.Errorf("of a program that was cut off the slide says %q", p.why)
		}
	})
}

func TestVideoProgramThatSaysNothing(t *testing.T) {
	inStudio(t, func(s *studio) {
		a := s.program()
		s.after(stallAfter)
		s.want(stalled, 0)
		a.Close()
		synctest.Wait()
		s.want(ended, 0)
	})
}

// A second program does not disturb one that plays, and replaces one that does not
// answer.
func TestSecondVideoProgram(t *testing.T) {
	inStudio(t, func(s *studio) {
		picture := jpegOf(s, 16, 16, 0)
		a := s.program()
		s.send(a, picture)
		b := s.program()
		if _, err := b.Read(make([]byte, 1)); err != mem.ErrReset {
			s.Errorf("the second program reads %v, want a reset", err)
		}
		s.want(live, 1)
		s.after(stallAfter)
		c := s.program()
		s.send(c, picture)
		s.want(live, 2)
		if _, err := a.Read(make([]byte, 1)); err != mem.ErrReset {
			s.Errorf("the program that was replaced reads %v, want a reset", err)
		}
		s.want(live, 2)
		c.Close()
		synctest.Wait()
		s.want(ended, 2)
	})
}

func TestVideoThatIsNone(t *testing.T) {
	inStudio(t, func(s *studio) {
		a := s.program()
		go a.Write(make([]byte, 2*maxJunk))
		synctest.Wait()
		s.want(ended, 0)
		if p, _ := s.newest.get(); p.why != errNoPicture.Error() {
			s.Errorf("the slide says %q", p.why)
		}
		b := s.program()
		s.send(b, jpegOf(s, 16, 16, 0))
		s.want(live, 1)
		if p, _ := s.newest.get(); p.why != "" {
			s.Errorf("the slide still says %q", p.why)
		}
	})
}
