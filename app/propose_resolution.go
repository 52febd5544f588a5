package app

import (
	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
)

// ResolutionHash is what approvals name: Digest(LabelResolution, chain id, canonical bytes). Spec 9.3.
func ResolutionHash(chain string, r *pb.Resolution) [32]byte {
	return transcript.Digest(transcript.LabelResolution, []byte(chain), election.Encode(r))
}

// ProposeResolution: an officer proposes, and so approves, a resolution that could take effect now. Spec 9.11.
func checkProposeResolution(r *reading, p *tx.Parsed, m *pb.ProposeResolution) error {
	if _, err := r.officer(p.Signer()); err != nil {
		return err
	}
	hash := ResolutionHash(r.chain, &m.Resolution)
	known, err := state.Load[pb.ResolutionRecord](r, state.ResolutionKey(hash[:]))
	if err != nil {
		return err
	}
	if known != nil {
		return tx.Refuse(tx.CodeAlreadyDone, "resolution %x was proposed", hash)
	}
	if err := r.mayDo(p.Signer(), func(acts *pb.OfficerActs) bool { return acts.Resolutions < maxResolutions }); err != nil {
		return err
	}
	d, _, err := decisionOf(&m.Resolution)
	if err != nil {
		return err
	}
	return d.check(r)
}

func applyProposeResolution(w *writing, v *tx.Verified, m *pb.ProposeResolution) error {
	officer := v.Parsed().Signer()
	o, err := w.officer(officer)
	if err != nil {
		return err
	}
	params, err := state.MustLoad[pb.Parameters](w, state.KeyParameters)
	if err != nil {
		return err
	}
	if err := w.did(officer, func(acts *pb.OfficerActs) { acts.Resolutions++ }); err != nil {
		return err
	}
	hash := ResolutionHash(w.chain, &m.Resolution)
	record := &pb.ResolutionRecord{
		Resolution: m.Resolution, Proposed: w.height, Expires: w.height + int64(params.ResolutionHeights),
		Approvals: []pb.Approval{{Organisation: o.Id, Officer: officer}},
	}
	return w.saveResolution(hash[:], record)
}
