package app

import (
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// decision is what a resolution does. check says whether it could take effect now; apply is called only right after a check
// that passed.
type decision interface {
	check(r *reading) error
	apply(w *writing) error
}

// touching is a decision that never takes effect without the own approval of some organisations.
type touching interface {
	touches(r *reading) ([]string, error)
}

type (
	createElection    struct{ *pb.CreateElection }
	appointTrustees   struct{ *pb.AppointTrustees }
	sealRoll          struct{ *pb.SealRoll }
	scheduleElection  struct{ *pb.ScheduleElection }
	extendElection    struct{ *pb.ExtendElection }
	cancelElection    struct{ *pb.CancelElection }
	changeValidators  struct{ *pb.ChangeValidators }
	changeOfficers    struct{ *pb.ChangeOfficers }
	changeParameters  struct{ *pb.ChangeParameters }
	revokeVoters      struct{ *pb.RevokeVoters }
	replaceTrustees   struct{ *pb.ReplaceTrustees }
	excuseTrial       struct{ *pb.ExcuseTrial }
	upgradeSoftware   struct{ *pb.UpgradeSoftware }
	cancelUpgrade     struct{ *pb.CancelUpgrade }
	paperTotals       struct{ *pb.PaperTotals }
	excusePaper       struct{ *pb.ExcusePaper }
	openNominations   struct{ *pb.OpenNominations }
	removeCandidate   struct{ *pb.RemoveCandidate }
	cancelNominations struct{ *pb.CancelNominations }
	openInitiatives   struct{ *pb.OpenInitiatives }
	answerInitiative  struct{ *pb.AnswerInitiative }
	removePost        struct{ *pb.RemovePost }
	renewLot          struct{ *pb.RenewLot }
)

// decisionOf returns what a resolution does, and the number of its kind for the rules in the parameters: the number of the field
// in Resolution. The error is a refusal: the resolution decides nothing. Spec 9.3.
func decisionOf(r *pb.Resolution) (d decision, kind uint32, err error) {
	switch d := r.Decision.(type) {
	case *pb.Resolution_CreateElection:
		return createElection{d.CreateElection}, 3, nil
	case *pb.Resolution_AppointTrustees:
		return appointTrustees{d.AppointTrustees}, 4, nil
	case *pb.Resolution_SealRoll:
		return sealRoll{d.SealRoll}, 5, nil
	case *pb.Resolution_ScheduleElection:
		return scheduleElection{d.ScheduleElection}, 6, nil
	case *pb.Resolution_ExtendElection:
		return extendElection{d.ExtendElection}, 7, nil
	case *pb.Resolution_CancelElection:
		return cancelElection{d.CancelElection}, 8, nil
	case *pb.Resolution_ChangeValidators:
		return changeValidators{d.ChangeValidators}, 9, nil
	case *pb.Resolution_ChangeOfficers:
		return changeOfficers{d.ChangeOfficers}, 10, nil
	case *pb.Resolution_ChangeParameters:
		return changeParameters{d.ChangeParameters}, 11, nil
	case *pb.Resolution_RevokeVoters:
		return revokeVoters{d.RevokeVoters}, 12, nil
	case *pb.Resolution_ReplaceTrustees:
		return replaceTrustees{d.ReplaceTrustees}, 13, nil
	case *pb.Resolution_ExcuseTrial:
		return excuseTrial{d.ExcuseTrial}, 14, nil
	case *pb.Resolution_UpgradeSoftware:
		return upgradeSoftware{d.UpgradeSoftware}, 15, nil
	case *pb.Resolution_CancelUpgrade:
		return cancelUpgrade{d.CancelUpgrade}, 16, nil
	case *pb.Resolution_PaperTotals:
		return paperTotals{d.PaperTotals}, 22, nil
	case *pb.Resolution_ExcusePaper:
		return excusePaper{d.ExcusePaper}, 23, nil
	case *pb.Resolution_OpenNominations:
		return openNominations{d.OpenNominations}, 20, nil
	case *pb.Resolution_RemoveCandidate:
		return removeCandidate{d.RemoveCandidate}, 21, nil
	case *pb.Resolution_OpenInitiatives:
		return openInitiatives{d.OpenInitiatives}, 24, nil
	case *pb.Resolution_AnswerInitiative:
		return answerInitiative{d.AnswerInitiative}, 25, nil
	case *pb.Resolution_RemovePost:
		return removePost{d.RemovePost}, 26, nil
	case *pb.Resolution_RenewLot:
		return renewLot{d.RenewLot}, 27, nil
	case *pb.Resolution_CancelNominations:
		return cancelNominations{d.CancelNominations}, 28, nil
	}
	return nil, 0, tx.Refuse(tx.CodeInvalidField, "the resolution decides nothing")
}
