package observe

import (
	"slices"
	"strings"
	"time"
	"unicode"
)

// Kind says what an alarm is about. Spec 13.3.
type Kind string

// The kinds of alarms, by their numbers in the specification. Those up to SlipUnkept are failed verifications and stand for good; the
// others end when what they are about is over.
const (
	WrongGenesis Kind = "wrong-genesis" // O1
	Unverifiable Kind = "unverifiable"  // O2
	Forked       Kind = "fork"          // O3
	LogShrunk    Kind = "log-shrunk"    // O4
	LogChanged   Kind = "log-changed"   // O5
	LeafChanged  Kind = "leaf-changed"  // O6
	SlipBroken   Kind = "slip-broken"   // O7
	SlipUnkept   Kind = "slip-unkept"   // O8
	Silent       Kind = "silent"        // O9
	Stale        Kind = "stale"         // O10
	BlockTime    Kind = "block-time"    // O11
	NotSigning   Kind = "not-signing"   // O12
	SlipInvalid  Kind = "slip-invalid"  // O13
	LotSecret    Kind = "lot-secret"    // O14
)

// kinds are all kinds in the order of their numbers.
var kinds = []Kind{
	WrongGenesis, Unverifiable, Forked, LogShrunk, LogChanged, LeafChanged, SlipBroken, SlipUnkept, Silent, Stale, BlockTime, NotSigning, SlipInvalid, LotSecret,
}

// Failed says whether an alarm of this kind is a failed verification.
func (k Kind) Failed() bool { return slices.Index(kinds, k) <= slices.Index(kinds, SlipUnkept) }

// Alarm is one cause for alarm.
type Alarm struct {
	Kind Kind `json:"kind"`
	// Cause tells alarms of a kind apart: a node, and what it was asked for; a validator; a promise. There is one alarm of a cause.
	Cause string `json:"cause"`
	// Nodes are the addresses of those whom it is about; none where it is about the ledger.
	Nodes []string `json:"nodes,omitempty"`
	Text  string   `json:"text"`
	// Evidence are the files, by their paths in the observer's folder.
	Evidence []string   `json:"evidence"`
	Raised   time.Time  `json:"raised"`
	Ended    *time.Time `json:"ended,omitempty"`
}

// Stands says whether an alarm has not ended.
func (a *Alarm) Stands() bool { return a.Ended == nil }

// The events.
const (
	EventCertified = "certified" // a node shows a newer certified state
	EventAlarm     = "alarm"     // an alarm is raised
	EventEnded     = "ended"     // an alarm has ended
	EventKept      = "kept"      // a promise is kept
)

// Event is something that was seen.
type Event struct {
	Time  time.Time `json:"time"` // by the observer's clock
	Event string    `json:"event"`
	// Of a certified state: the node, its organisation as it says itself, the height that it says it has, and what is proven.
	Node         string     `json:"node,omitempty"`
	Organisation string     `json:"organisation,omitempty"`
	Height       int64      `json:"height,omitempty"`
	Certified    int64      `json:"certified_height,omitempty"`
	BlockTime    *time.Time `json:"block_time,omitempty"`
	Alarm        *Alarm     `json:"alarm,omitempty"`
	Slip         *Kept      `json:"slip,omitempty"`
}

// lasting says whether an event is kept until it is told: a certified state is followed by the next one.
func (e Event) lasting() bool { return e.Event != EventCertified }

// Kept is a promise that is kept.
type Kept struct {
	File string `json:"file"`
	How  string `json:"how"`
}

// Alarms returns copies of all alarms, in the order in which they were first raised.
func (o *Observer) Alarms() []Alarm {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := make([]Alarm, len(o.file.Alarms))
	for i, a := range o.file.Alarms {
		list[i] = *a
	}
	return list
}

// alarm returns the alarm of a cause, nil where it was never raised.
func (o *Observer) alarm(kind Kind, cause string) *Alarm {
	for _, a := range o.file.Alarms {
		if a.Kind == kind && a.Cause == cause {
			return a
		}
	}
	return nil
}

// stands says whether the alarm of a cause is raised.
func (o *Observer) stands(kind Kind, cause string) bool {
	a := o.alarm(kind, cause)
	return a != nil && a.Stands()
}

// raise raises an alarm unless it stands already. Its evidence is on disk before anybody is told. mu is held.
func (o *Observer) raise(kind Kind, cause string, nodes []string, text string, files func() []evidence) {
	a := o.alarm(kind, cause)
	if a != nil && a.Stands() {
		return
	}
	if a == nil {
		a = &Alarm{Kind: kind, Cause: cause}
		o.file.Alarms = append(o.file.Alarms, a)
	}
	a.Nodes, a.Text, a.Raised, a.Ended = nodes, clean(text), o.now(), nil
	a.Evidence = o.write(slices.Index(o.file.Alarms, a)+1, kind, files())
	o.dirty = true
	o.tell(Event{Event: EventAlarm, Alarm: a})
}

// end ends an alarm that stands. mu is held.
func (o *Observer) end(kind Kind, cause string) {
	if a := o.alarm(kind, cause); a != nil && a.Stands() {
		now := o.now()
		a.Ended = &now
		o.dirty = true
		o.tell(Event{Event: EventEnded, Alarm: a})
	}
}

// tell queues an event: it is told once what it says is on disk. mu is held.
func (o *Observer) tell(e Event) {
	e.Time = o.now()
	if e.Alarm != nil {
		own := *e.Alarm
		e.Alarm = &own
	}
	o.events = append(o.events, e)
}

// maxText is the greatest length of a text that came from a node in part, in characters.
const maxText = 600

// clean makes a text of somebody else fit for a terminal and a file.
func clean(text string) string {
	runes := []rune(strings.ToValidUTF8(text[:min(len(text), 4*maxText)], "?"))
	if len(runes) > maxText {
		runes = append(runes[:maxText], '…')
	}
	for i, r := range runes {
		if !unicode.IsGraphic(r) {
			runes[i] = ' '
		}
	}
	return string(runes)
}
