// Command slideshow shows slides in the browser, one of which plays a video that
// another program makes while it is shown.
//
// It starts with one command and says where the page is:
//
//	go run ./examples/slideshow
//
// Three ends of Tenon do the work: the page is an http.Server on any listener, the
// browsers' WebSockets are an end that listens inside the program, and the video
// comes in through shared memory from ffmpeg, or from any program that writes JPEG
// pictures one after another. Which listener, and which way the video comes, are
// addresses that can be chosen on the command line.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/transport"
)

// options are what can be chosen on the command line.
type options struct {
	listen   string // where the page is: an address that listens and carries bytes
	slides   string // a file with slides; "" is the built-in ones
	from     string // where the video program comes in: an address that listens
	video    string // a file for ffmpeg to play; "" is its test picture
	noFFmpeg bool   // start no ffmpeg: wait for a video program
}

// defaultFrom is where the video program comes in.
func defaultFrom() string {
	if runtime.GOOS == "linux" {
		return "shm-listen:video"
	}
	return "tcp-listen:127.0.0.1:7070"
}

func main() {
	log.SetFlags(log.Ltime)
	var o options
	flag.StringVar(&o.listen, "listen", "tcp-listen:127.0.0.1:0", "`address` of the page; port 0 is one that is free")
	flag.StringVar(&o.slides, "slides", "", "`file` with slides; see slides/slides.md")
	flag.StringVar(&o.from, "from", defaultFrom(), "`address` where the video program comes in")
	flag.StringVar(&o.video, "video", "", "`file` that ffmpeg plays instead of its test picture")
	flag.BoolVar(&o.noFFmpeg, "no-ffmpeg", false, "do not start ffmpeg: wait for a video program")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "%q is too much; see -help\n", flag.Arg(0))
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx, o, os.Stdout); err != nil {
		if hint := transport.Hint(err); hint != "" {
			log.Fatalf("%v\n%s", err, hint)
		}
		log.Fatal(err)
	}
}

// run shows the slides until ctx is done, and says on out where. When it returns,
// nothing is left running.
func run(ctx context.Context, o options, out io.Writer) error {
	deck, err := loadDeck(o.slides)
	if err != nil {
		return err
	}
	if o.video != "" {
		if _, err := os.Stat(o.video); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opener := &tenon.Opener{Events: tell}
	video := new(video)
	from, err := opener.Listen(ctx, o.from)
	if err != nil {
		return err
	}
	defer from.Close()
	pages, err := opener.Listen(ctx, o.listen)
	if err != nil {
		return err
	}
	defer pages.Close()
	s, err := newServer(ctx, deck, video)
	if err != nil {
		return err
	}
	defer s.close()

	var parts sync.WaitGroup
	parts.Go(func() { video.serve(ctx, from) })
	if !o.noFFmpeg {
		parts.Go(func() { keepFFmpeg(ctx, opener, o.video, feedAddress(o.from)) })
	}
	if o.noFFmpeg {
		log.Printf("waiting for a video program, such as: %s", byHand(o.from))
	}
	fmt.Fprintf(out, "the slides are at %s://%s/\n", scheme(o.listen), pages.Addr())
	err = s.serve(ctx, tenon.NetListener(pages))
	cancel()
	parts.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// tell says what the user of the program should know about its ends.
func tell(e tenon.Event) {
	switch {
	case e.Type == tenon.Notice, e.Type == tenon.Listening && e.Text != "":
		log.Printf("%s: %s", e.End, e.Text)
	case e.Type == tenon.Refused:
		log.Print(e.Err)
	}
}
