package perturb

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
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

// services are the names of all nodes, validators or not.
func (c *containers) services() []string {
	return strings.Fields(c.run("docker", "ps", "--all", "--filter", "label=com.docker.compose.project="+c.project,
		"--format", `{{.Label "com.docker.compose.service"}}`))
}

// id returns the container of a node.
func (c *containers) id(service string) string {
	c.Helper()
	id := c.run("docker", "ps", "--all", "--quiet", "--filter", "label=com.docker.compose.project="+c.project,
		"--filter", "label=com.docker.compose.service="+service)
	if id == "" || strings.Contains(id, "\n") {
		c.Fatalf("%s has not one container: %q", service, id)
	}
	return id
}

// name returns the service of a validator, which has its name.
func (c *containers) name(i int) string { return c.network.Validators[i].Name }

func (c *containers) inspect(service, format string) string {
	return c.run("docker", "inspect", "--format", format, c.id(service))
}

func (c *containers) kill(i int)  { c.run("docker", "kill", "--signal", "KILL", c.id(c.name(i))) }
func (c *containers) stop(i int)  { c.run("docker", "stop", "--time", "60", c.id(c.name(i))) }
func (c *containers) start(i int) { c.run("docker", "start", c.id(c.name(i))) }
func (c *containers) pause(i int) { c.run("docker", "pause", c.id(c.name(i))) }
func (c *containers) goOn(i int)  { c.run("docker", "unpause", c.id(c.name(i))) }

func (c *containers) net() string { return c.project + "_ledger" }

// cutOff takes a container off its network, with its gateway.
func (c *containers) cutOff(i int) {
	c.run("docker", "network", "disconnect", c.net(), c.id(c.name(i)))
}

func (c *containers) joinAgain(i int) {
	c.run("docker", "network", "connect", "--alias", c.name(i), c.net(), c.id(c.name(i)))
}

// inside runs a command in the network namespace of a container.
func (c *containers) inside(service string, args ...string) {
	c.run("nsenter", append([]string{"--net=/proc/" + c.inspect(service, "{{.State.Pid}}") + "/ns/net"}, args...)...)
}

// divide lets packets between nodes of different groups vanish. Nodes that are no validators are in no group: they would join the groups.
func (c *containers) divide(groups ...[]int) {
	group, addresses := map[string]int{}, map[string]string{}
	for g, members := range groups {
		for _, i := range members {
			group[c.name(i)] = g + 1
		}
	}
	services := c.services()
	for _, s := range services {
		addresses[s] = c.inspect(s, fmt.Sprintf("{{(index .NetworkSettings.Networks %q).IPAddress}}", c.net()))
	}
	for _, from := range services {
		for _, to := range services {
			if from != to && (group[from] == 0 || group[from] != group[to]) {
				c.inside(from, "ip", "route", "add", "blackhole", addresses[to]+"/32")
			}
		}
	}
}

// slow leaves a container a twentieth of a processor: not every kernel can delay its packets.
func (c *containers) slow(i int, _ time.Duration) { c.processors(c.name(i), 0.05) }

// processors says how many processors a container may use.
func (c *containers) processors(service string, n float64) {
	c.run("docker", "update", "--cpus", fmt.Sprint(n), c.id(service))
}

// heal takes back what divide and slow have done.
func (c *containers) heal() {
	for _, s := range c.services() {
		c.inside(s, "ip", "route", "flush", "type", "blackhole")
		c.processors(s, float64(runtime.NumCPU()))
	}
}

func (c *containers) can(deed) bool { return true }

// smallVolume is the size of the file system that a volume is moved to, in bytes: more than what a node keeps free by its settings.
const smallVolume = 3 << 30

// fillDisk moves the volume of a validator to a small file system in memory, lets the node go on there, and fills that to the last byte. When
// the node signs no more, there is room again, and the volume moves back.
func (c *containers) fillDisk() {
	i := c.some(1)[0]
	volume := c.inspect(c.name(i), `{{range .Mounts}}{{.Source}}{{end}}`)
	small := c.TempDir()
	c.stop(i)
	c.run("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", smallVolume), "votenode", small)
	mounts := []string{small}
	unmount := func() {
		for _, m := range slices.Backward(mounts) {
			c.check(syscall.Unmount(m, syscall.MNT_DETACH))
		}
		mounts = nil
	}
	c.Cleanup(unmount)
	c.run("cp", "-a", volume+"/.", small)
	c.run("mount", "--bind", small, volume)
	mounts = append(mounts, volume)
	c.start(i)
	c.well()

	full := filepath.Join(small, "full")
	c.fill(full)
	c.rise(c.others(i), further)
	c.unwell(c.network.Validators[i])
	c.check(os.Remove(full))

	c.stop(i)
	c.check(syscall.Unmount(volume, 0))
	mounts = mounts[:1]
	c.run("find", volume, "-mindepth", "1", "-delete")
	c.run("cp", "-a", small+"/.", volume)
	unmount()
	c.start(i)
}

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
