package main

import (
	"context"
	"errors"
	"io/fs"
	"log"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport/proc"
)

// How long a video program that has ended is left alone before it is started again.
// The pause doubles while it does not live for longer than the longest.
const (
	firstPause = time.Second
	maxPause   = 15 * time.Second
)

// keepFFmpeg has ffmpeg play to the end named to, and starts it again when it ends,
// until ctx is done. It returns when ffmpeg has ended.
func keepFFmpeg(ctx context.Context, o *tenon.Opener, file, to string) {
	pause := firstPause
	for {
		begin := time.Now()
		_, err := o.Join(ctx, ffmpeg(file), to, join.Options{})
		if ctx.Err() != nil {
			return
		}
		if time.Since(begin) > maxPause {
			pause = firstPause
		}
		log.Printf("the video: %v; again in %v", reason(err), pause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
}

// reason says why a video has ended.
func reason(err error) string {
	switch {
	case err == nil:
		return "ffmpeg has ended"
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return err.Error() + " (on Debian: apt-get install ffmpeg)"
	}
	return err.Error()
}

// ffmpeg is the address of an ffmpeg that writes JPEG pictures at the pace at which
// they are to be seen: those of file over and over, or a test picture with a clock.
func ffmpeg(file string) string {
	args := []string{"ffmpeg", "-nostdin", "-loglevel", "error"}
	filter := "realtime"
	if file == "" {
		args = append(args, "-f", "lavfi", "-i", "testsrc2=size=960x540:rate=25")
	} else {
		if abs, err := filepath.Abs(file); err == nil {
			file = abs
		}
		args = append(args, "-stream_loop", "-1", "-i", "file:"+file)
		filter = `scale=w=min(1280\,iw):h=-2,fps=25,realtime`
	}
	args = append(args, "-an", "-vf", filter, "-q:v", "4", "-f", "mjpeg", "-")
	return "exec:" + address.Quote(proc.Quote(args))
}

// feedAddress is the end to dial for a listener at from: shm:video for
// shm-listen:video.
func feedAddress(from string) string {
	a, err := address.Parse(from)
	if err != nil {
		return from // and Listen has said what is wrong with it
	}
	a.Kind.Name = strings.TrimSuffix(a.Kind.Name, "-listen")
	a.Options = nil
	return a.String()
}

// byHand is the command that brings a test picture to the listener at from.
func byHand(from string) string {
	return "tenon exec:'ffmpeg -re -f lavfi -i testsrc2 -f mjpeg -' " + feedAddress(from)
}
