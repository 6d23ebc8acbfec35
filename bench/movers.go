package main

import "slices"

// The lists of the scenarios in which files are moved from one directory to another, on this machine,
// through a connection: by programs that begin with nothing and end when everything is there.
const (
	inFile = "one file"
	inTree = "a tree of files"
)

// What the others are compared with: the same bytes over one TLS connection of ours, written as they come, and
// nothing verified by more than that.
const (
	tlsCopy = "TLS copy"
	tlsTar  = "tar | TLS | tar"
)

const (
	moverScript = `set -e
cd {dir}
mkdir out
await() { while ! [ -s $1 ]; do sleep 0.01; done; }
`
	// A share whose sharer ends when somebody has it.
	shareScript = moverScript + `{node} share {to} --dir a --lan-only --listen /ip4/127.0.0.1/tcp/0 >ticket &
await ticket
{node} get - --dir b --lan-only --listen /ip4/127.0.0.1/tcp/0 --to out <ticket
kill -INT $!
wait
`
	tlsCopyScript = moverScript + `{tenon} -u tls-listen:{between},cert={cert},key={key} - >out/$(basename {to}) &
{tenon} -u - tls:{between},ca={cert},retry=100,interval=10ms <{to}
wait
`
	tlsTarScript = moverScript + `{tenon} -u tls-listen:{between},cert={cert},key={key} - | tar -C out -xf - &
tar -C $(dirname {to}) -cf - $(basename {to}) | {tenon} -u - tls:{between},ca={cert},retry=100,interval=10ms
wait
`
	sshdScript = moverScript + sshdConf + `Subsystem sftp internal-sftp
END
how="-F none -i {dir}/key -c aes128-gcm@openssh.com -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile={dir}/known -o LogLevel=ERROR"
how="$how -o ProxyCommand='/usr/sbin/sshd -i -f {dir}/sshd.conf'"
`
	scpScript      = sshdScript + "eval scp -q -r -p $how {to} $(id -un)@127.0.0.1:{dir}/out/\n"
	rsyncSSHScript = sshdScript + `rsync -a -e "ssh $how" {to} $(id -un)@127.0.0.1:{dir}/out/
`
	rsyncScript = moverScript + `printf 'port = {betweenport}\naddress = 127.0.0.1\nuse chroot = no\nuid = root\ngid = root\n[m]\npath = {dir}/out\nread only = no\n' >conf
rsync --daemon --no-detach --config conf &
while ! rsync -q rsync://127.0.0.1:{betweenport}/ 2>/dev/null; do sleep 0.02; done
rsync -a {to} rsync://127.0.0.1:{betweenport}/m/
kill $!
wait
`
	crocScript = moverScript + `croc --classic=false relay --host 127.0.0.1 --ports {betweenport} &
CROC_SECRET=one-two-three croc --yes --relay 127.0.0.1:{betweenport} send --no-local {to} &
sent=$!
cd out
CROC_SECRET=one-two-three croc --yes --relay 127.0.0.1:{betweenport}
wait $sent
kill %1
wait
`
)

// movers in the order of the tables.
var movers = []peer{
	{name: "cp", in: []string{inFile, inTree}, command: "sh {conf}", config: moverScript + "cp -a {to} out/\n"},
	{name: tlsCopy, in: []string{inFile}, command: "sh {conf}", config: tlsCopyScript},
	{name: tlsTar, in: []string{inTree}, needs: []string{"tar"}, debian: "tar", command: "sh {conf}", config: tlsTarScript},
	{name: tenon, in: []string{inFile, inTree}, command: "sh {conf}", config: shareScript},
	{name: "scp", in: []string{inFile, inTree}, needs: []string{"scp", "/usr/sbin/sshd"}, debian: "openssh-client openssh-server", command: "sh {conf}", config: scpScript},
	{name: "rsync over ssh", in: []string{inFile, inTree}, needs: []string{"rsync", "ssh", "/usr/sbin/sshd"}, debian: "rsync openssh-client openssh-server",
		command: "sh {conf}", config: rsyncSSHScript},
	{name: "rsync daemon", in: []string{inFile, inTree}, needs: []string{"rsync"}, debian: "rsync", command: "sh {conf}", config: rsyncScript},
	{name: "croc", in: []string{inFile, inTree}, needs: []string{"croc"}, command: "sh {conf}", config: crocScript},
}

func init() { peers = slices.Concat(peers, movers) }
