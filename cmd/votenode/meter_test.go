package main

import (
	"testing"
	"time"
)

// The estimate goes by the last half minute, and says nothing where there is nothing to go by.
func TestPace(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	var p pace
	if text := p.text(100); text != "" {
		t.Errorf("before anything is done: %q", text)
	}
	p.note(start, 0)
	if text := p.text(100); text != "" {
		t.Errorf("by one mark: %q", text)
	}
	for second := range 60 { // slow for a minute, then ten times as fast
		p.note(start.Add(time.Duration(second)*time.Second), int64(second))
	}
	if text := p.text(119); text != ", about 1m0s left" {
		t.Errorf("60 at 1 a second: %q", text)
	}
	for second := range 60 {
		p.note(start.Add(time.Duration(60+second)*time.Second), 60+10*int64(second))
	}
	if text := p.text(1_000); text != ", about 35s left" {
		t.Errorf("350 at 10 a second: %q", text)
	}
	if len(p.marks) > paceMarks {
		t.Errorf("%d marks are kept", len(p.marks))
	}
	for range 1_000 { // many within one second
		p.note(start.Add(120*time.Second), 660)
	}
	if left, ok := p.left(660); left != 0 || !ok {
		t.Errorf("all is done: %v, %v", left, ok)
	}
	if _, ok := p.left(5); ok {
		t.Error("more than all is done, and time is left")
	}
	var huge pace
	huge.note(start, 0)
	huge.note(start.Add(time.Hour), 1)
	if left, ok := huge.left(1 << 62); !ok || left != 1000*time.Hour {
		t.Errorf("for ever: %v, %v", left, ok)
	}
	var still pace
	still.note(start, 5)
	still.note(start.Add(time.Hour), 5)
	if _, ok := still.left(10); ok {
		t.Error("nothing is done, and time is left")
	}
}
