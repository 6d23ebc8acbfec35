package main

import "slices"

// The lists of the scenarios about tunnels: a listener here, a target there, and between the two sides a
// connection that is sealed. Both sides are on this machine.
const (
	inTunnel       = "tunnel" // throughput, round trips, small messages beside bulk
	inTunnelConns  = "tunnel connections"
	inTunnelMemory = "tunnel memory"
)

var everyTunnel = []string{inTunnel, inTunnelConns, inTunnelMemory}

// withPeers is the lists of the scenarios that need the image that knows peers.
var withPeers = append(everyTunnel[:len(everyTunnel):len(everyTunnel)], inFile, inTree)

// The ways of Tenon beside the first one, which is named after it: two processes, each with a node of its own.
const (
	tenonUp     = "tenon up"          // both sides run a node, and a process more listens
	tenonQUIC   = "tenon QUIC"        // the sides are connected by QUIC
	tenonMortal = "tenon survive=0"   // its streams end with their connections
	tenonTLS    = "tenon tls, 2 ends" // no peers: one process listens and dials TLS, the other the reverse
)

// pairScript begins the script of two nodes, a and b, with a directory each. They are paired over the local
// network.
const pairScript = `set -e
cd {dir}
export XDG_CONFIG_HOME={dir}
await() { while ! [ -s $1 ]; do sleep 0.02; done; }
pair() {
  {node} pair --dir a "$@" >code &
  await code
  {node} pair --dir b --join "$@" <code
  wait $!
}
`

const (
	overTCP  = "--listen /ip4/0.0.0.0/tcp/0"
	overQUIC = "--listen /ip4/0.0.0.0/udp/0/quic-v1"
	limits   = ",max=20000,max-per-ip=20000"
)

// twoNodes is a node of each side in the process that serves or listens.
func twoNodes(over, options string) string {
	return pairScript + `pair --as a ` + over + `
{node} serve svc tcp:{to} --to paired --dir a ` + over + ` 2>served &
await served
TENON_DIR={dir}/b {node} listen {listen}` + limits + ` peer:a/svc` + options + ` &
wait
`
}

const upScript = pairScript + `for side in a b; do
  {node} up --dir $side --as $side ` + overTCP + ` --ready-fd 3 3>up-$side &
  await up-$side
done
pair
{node} serve svc tcp:{to} --to paired --dir a
TENON_DIR={dir}/b {node} listen {listen}` + limits + ` peer:a/svc &
wait
`

const tlsScript = `{tenon} tls-listen:{between},cert={cert},key={key}` + limits + ` tcp:{to} &
{tenon} tcp-listen:{listen}` + limits + ` tls:{between},ca={cert} &
wait
`

const stunnelScript = `cd {dir}
printf 'foreground = yes\npid =\ndebug = 3\n' | tee near >far
printf '[s]\naccept = {between}\nconnect = {to}\ncert = {cert}\nkey = {key}\n' >>far
printf '[s]\nclient = yes\naccept = {listen}\nconnect = {between}\nCAfile = {cert}\nverifyPeer = yes\n' >>near
stunnel4 far &
stunnel4 near &
wait
`

// sshdConf makes keys and begins the configuration of an sshd that is for one connection, so that it needs no rights.
const sshdConf = `mkdir -p -m 755 /run/sshd 2>/dev/null || true
ssh-keygen -q -t ed25519 -N '' -f key
ssh-keygen -q -t ed25519 -N '' -f host
cat >sshd.conf <<END
HostKey {dir}/host
AuthorizedKeysFile {dir}/key.pub
PidFile none
StrictModes no
UsePAM no
`

const sshScript = `set -e
cd {dir}
` + sshdConf + `END
socat TCP-LISTEN:{betweenport},bind=127.0.0.1,reuseaddr EXEC:'/usr/sbin/sshd -i -f {dir}/sshd.conf',nofork &
sleep 0.3
ssh -F none -N -i key -p {betweenport} -c aes128-gcm@openssh.com -o BatchMode=yes -o StrictHostKeyChecking=no \
  -o UserKnownHostsFile=known -o LogLevel=ERROR -o ExitOnForwardFailure=yes -L {listen}:{to} $(id -un)@127.0.0.1 &
wait
`

const chiselScript = `chisel server --host 127.0.0.1 --port {betweenport} --key bench --auth u:p &
chisel client --auth u:p --max-retry-interval 100ms {between} {listen}:{to} &
wait
`

const frpScript = `cd {dir}
printf 'bindAddr = "127.0.0.1"\nbindPort = {betweenport}\nauth.token = "bench"\n' >frps.toml
printf 'serverAddr = "127.0.0.1"\nserverPort = {betweenport}\nauth.token = "bench"\nlog.level = "warn"\nloginFailExit = false\n' | tee there.toml >here.toml
cat >>there.toml <<END
[[proxies]]
name = "s"
type = "stcp"
secretKey = "k"
localIP = "127.0.0.1"
localPort = {toport}
transport.useEncryption = true
END
cat >>here.toml <<END
[[visitors]]
name = "v"
type = "stcp"
serverName = "s"
secretKey = "k"
bindAddr = "127.0.0.1"
bindPort = {port}
transport.useEncryption = true
END
frps -c frps.toml &
frpc -c there.toml &
frpc -c here.toml &
wait
`

const ipfsScript = `set -e
cd {dir}
at() { IPFS_PATH={dir}/$1; shift; export IPFS_PATH; ipfs "$@"; }
for n in 1 2; do
  at $n init --profile test >/dev/null
  at $n config --json Addresses.Swarm '["/ip4/127.0.0.1/tcp/0"]'
  at $n config Addresses.API /ip4/127.0.0.1/tcp/0
  at $n config Addresses.Gateway /ip4/127.0.0.1/tcp/0
  at $n config --json Bootstrap '[]'
  at $n config --json AutoConf.Enabled false
  at $n config --json Discovery.MDNS.Enabled false
  at $n config Routing.Type none
  at $n config --json Experimental.Libp2pStreamMounting true
  IPFS_PATH={dir}/$n ipfs daemon >daemon$n 2>&1 &
  while ! grep -q 'Daemon is ready' daemon$n; do sleep 0.1; done
done
at 1 p2p listen /x/bench /ip4/127.0.0.1/tcp/{toport}
at 2 swarm connect $(at 1 id -f '<addrs>' | head -1)
at 2 p2p forward /x/bench /ip4/127.0.0.1/tcp/{port} /p2p/$(at 1 id -f '<id>')
wait
`

// tunnels in the order of the tables. Those of others that no package has are left out if they are not in PATH.
var tunnels = []peer{
	{name: tenon, in: everyTunnel, command: "sh {conf}", config: twoNodes(overTCP, "")},
	{name: tenonUp, in: everyTunnel, command: "sh {conf}", config: upScript},
	{name: tenonQUIC, in: everyTunnel, command: "sh {conf}", config: twoNodes(overQUIC, "")},
	{name: tenonMortal, in: []string{inTunnel}, command: "sh {conf}", config: twoNodes(overTCP, ",survive=0")},
	{name: tenonTLS, in: everyTunnel, command: "sh {conf}", config: tlsScript},
	{name: "stunnel, 2 ends", in: everyTunnel, needs: []string{"stunnel4"}, debian: "stunnel4", command: "sh {conf}", config: stunnelScript},
	{name: "ssh -L", in: everyTunnel, needs: []string{"ssh", "/usr/sbin/sshd", "socat"}, debian: "openssh-client openssh-server socat",
		command: "sh {conf}", config: sshScript},
	{name: "chisel", in: everyTunnel, needs: []string{"chisel"}, command: "sh {conf}", config: chiselScript},
	{name: "frp", in: everyTunnel, needs: []string{"frps", "frpc"}, command: "sh {conf}", config: frpScript},
	{name: "ipfs p2p", in: everyTunnel, needs: []string{"ipfs"}, command: "sh {conf}", config: ipfsScript},
}

func init() { peers = slices.Concat(peers, tunnels) }
