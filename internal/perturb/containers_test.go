package perturb

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"votenode/client"
	"votenode/internal/network"
)

// containers is the network of docker-compose.yml, which runs already (scripts/compose.sh up). What is done to it is done by the engine, and by
// routes in the containers' namespaces.
type containers struct {
	*election
	project string
}

// attachContainers joins the network whose people's keys are in a folder.
func attachContainers(e *election, folder, project, binary string, gateways []string) {
	own := &containers{e, project}
	e.controls = own
	e.network = must(network.Attach(e.ctx, folder, e.TempDir(), binary, gateways, func(cause error) { e.Error(cause) }))
	e.Cleanup(func() { e.check(e.network.EndAll()) })
	e.ledger = must(client.Open(e.ctx, e.network.Hash, gateways, nil))
}

func (c *containers) run(name string, args ...string) string {
	c.Helper()
	out, err := exec.CommandContext(c.ctx, name, args...).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		c.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, text)
	}
	return text
}

// id returns the container of a validator, whose service has its name.
func (c *containers) id(i int) string {
	c.Helper()
	id := c.run("docker", "ps", "--all", "--quiet", "--filter", "label=com.docker.compose.project="+c.project,
		"--filter", "label=com.docker.compose.service="+c.network.Validators[i].Name)
	if id == "" || strings.Contains(id, "\n") {
		c.Fatalf("%s has not one container: %q", c.network.Validators[i].Name, id)
	}
	return id
}

func (c *containers) inspect(i int, format string) string {
	return c.run("docker", "inspect", "--format", format, c.id(i))
}

func (c *containers) kill(i int)  { c.run("docker", "kill", "--signal", "KILL", c.id(i)) }
func (c *containers) stop(i int)  { c.run("docker", "stop", "--time", "60", c.id(i)) }
func (c *containers) start(i int) { c.run("docker", "start", c.id(i)) }
func (c *containers) pause(i int) { c.run("docker", "pause", c.id(i)) }
func (c *containers) goOn(i int)  { c.run("docker", "unpause", c.id(i)) }

func (c *containers) net() string { return c.project + "_ledger" }

// cutOff takes a container off its network, with its gateway.
func (c *containers) cutOff(i int) {
	c.run("docker", "network", "disconnect", c.net(), c.id(i))
}

func (c *containers) joinAgain(i int) {
	c.run("docker", "network", "connect", "--alias", c.network.Validators[i].Name, c.net(), c.id(i))
}

// inside runs a command in the network namespace of a container.
func (c *containers) inside(i int, args ...string) {
	c.run("nsenter", append([]string{"--net=/proc/" + c.inspect(i, "{{.State.Pid}}") + "/ns/net"}, args...)...)
}

func (c *containers) address(i int) string {
	return c.inspect(i, fmt.Sprintf("{{(index .NetworkSettings.Networks %q).IPAddress}}", c.net()))
}

// divide lets packets between validators of different groups vanish.
func (c *containers) divide(groups ...[]int) {
	for g, members := range groups {
		for h, others := range groups {
			if g == h {
				continue
			}
			for _, i := range members {
				for _, j := range others {
					c.inside(i, "ip", "route", "add", "blackhole", c.address(j)+"/32")
				}
			}
		}
	}
}

func (c *containers) slow(i int, delay time.Duration) {
	c.inside(i, "tc", "qdisc", "add", "dev", "eth0", "root", "netem", "delay", delay.String())
}

// heal takes back what divide and slow have done.
func (c *containers) heal() {
	for i := range c.network.Validators {
		c.inside(i, "ip", "route", "flush", "type", "blackhole")
		if c.can(deed{name: slowNode}) {
			c.inside(i, "tc", "qdisc", "replace", "dev", "eth0", "root", "pfifo_fast")
		}
	}
}

// can says whether a deed can be done here: not every kernel can slow down a line.
func (c *containers) can(d deed) bool {
	switch d.name {
	case fullDisk:
		return false
	case slowNode:
		return exec.Command("sh", "-c", "ip link add votenode-probe type dummy && tc qdisc add dev votenode-probe root netem delay 1ms; code=$?; ip link del votenode-probe; exit $code").Run() == nil
	}
	return true
}

func (c *containers) fillDisk() { c.Fatal("no disk of a container is filled") }

// agree finds all nodes in the same state.
func (c *containers) agree() {
	a, err := c.network.Agree(c.ctx)
	c.check(err)
	c.Logf("%d nodes have the app hash %x after height %d", a.Nodes, a.AppHash, a.Height)
}

// environment returns a variable that the test of containers needs.
func environment(e *election, name string) string {
	value := os.Getenv(name)
	if value == "" {
		e.Fatalf("%s is not set; scripts/perturb.sh containers sets it", name)
	}
	return value
}
