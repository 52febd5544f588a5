package node_test

import (
	"slices"
	"strings"
	"testing"

	"votenode/client"
	"votenode/internal/testnet"
)

// TestAlarm: one of the party's two validators is away. The others commit blocks and are healthy, but nothing is certified: this is an
// alarm, which names the party, on every node and on its gateway, until the validator is back.
func TestAlarm(t *testing.T) {
	n := testnet.New(t, testnet.Options{})
	n.Start()
	n.WaitHeight(4)
	for _, each := range n.Nodes {
		until(t, each, "a certified height", func() bool { return certifiedHeight(t, each) > 0 })
	}
	n.Stop(3)
	for _, each := range n.Nodes[:3] {
		until(t, each, "an alarm", func() bool {
			alarms := each.Running().Alarms()
			certified := certifiedHeight(t, each) // later, so that the lag is no less than it was
			if len(alarms) > 0 && tip(each)-certified <= 20 {
				t.Errorf("%s has an alarm at height %d, with %d certified: %q", each.Name, tip(each), certified, alarms)
			}
			return len(alarms) > 0
		})
		alarms := each.Running().Alarms()
		if len(alarms) != 1 || !strings.Contains(alarms[0], "nothing is certified since height ") ||
			!strings.Contains(alarms[0], ": party signs with 1 of 2 power") || strings.Contains(alarms[0], "league") {
			t.Errorf("%s: %q", each.Name, alarms)
		}
		until(t, each, "health with an alarm", func() bool { return len(each.Running().Health()) == 0 })
		gateway, err := client.NewNode(each.Gateway())
		if err != nil {
			t.Fatal(err)
		}
		if status, err := gateway.Status(t.Context()); err != nil || !slices.Equal(status.Alarms, alarms) {
			t.Errorf("%s: %+v, %v", each.Name, status, err)
		}
		if health, err := gateway.Health(t.Context()); err != nil || !health.Healthy {
			t.Errorf("%s: %+v, %v", each.Name, health, err)
		}
	}
	n.Start(3)
	for _, each := range n.Nodes {
		until(t, each, "the end of the alarm", func() bool {
			return !each.Running().CatchingUp() && len(each.Running().Alarms()) == 0 && certifiedHeight(t, each) > 20
		})
	}
}
