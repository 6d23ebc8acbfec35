package deadline

import (
	"testing"
	"testing/synctest"
	"time"
)

func over(d *Deadline) bool { return IsClosed(d.Wait()) }

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d Deadline
		waiting := d.Wait()
		time.Sleep(time.Hour)
		if IsClosed(waiting) {
			t.Fatal("the zero Deadline came")
		}
		d.Set(time.Now().Add(time.Hour))
		d.Set(time.Now().Add(time.Second)) // moved closer
		time.Sleep(time.Second)
		synctest.Wait()
		if !IsClosed(waiting) || !over(&d) {
			t.Fatal("who waited before it was moved closer was not told")
		}
		d.Set(time.Now().Add(time.Second)) // put off
		if over(&d) {
			t.Fatal("a deadline that was put off is still over")
		}
		d.Set(time.Time{})
		time.Sleep(time.Hour)
		if over(&d) {
			t.Fatal("it came although it was taken back")
		}
		d.Set(time.Now().Add(-time.Second))
		if !over(&d) {
			t.Fatal("one in the past is not over")
		}
	})
}
