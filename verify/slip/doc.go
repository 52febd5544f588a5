// Package slip signs acceptance slips and judges them: whether a validator's promise to bring a ballot into a block was kept, is
// pending, was broken, or whether the validator had no turn. The judgement rests on what the case shows under a certified state, and
// on nothing else; a case that shows a broken promise is evidence that anybody checks offline.
//
//	file       what
//	slip.go    the slip: signing it, and what makes it one
//	judge.go   the verdict on a case
//	blocks.go  who made which block, and by which clock
//	new.go     making a case of what a node has
//	words.go   the verdict in plain words
//
// It has no network, no disk and no clock. It must not say anything of a ballot's content.
//
// Source: docs/spec/12-slips-and-receipts.md, sections 12.1 to 12.3.
package slip
