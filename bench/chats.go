package main

import (
	"slices"
	"time"
)

// The lists of the scenarios in which what is said goes to many.
const (
	inChat    = "chat"
	inMembers = "chat members" // each receiver has a node of its own
)

// ngircd is what the others are compared with: it is what Tenon is to be as fast as.
const ngircd = "ngircd"

const (
	natsConf = "listen: {listen}\n"
	mqttConf = "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type error\n"
	// Penalties would let a client say three lines a second.
	ircConf = `[Global]
Name = irc.bench.test
Info = bench
Listen = 127.0.0.1
Ports = {port}
ServerUID = irc
ServerGID = irc
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxPenaltyTime = 0
MaxJoins = 0
[Options]
DNS = no
Ident = no
PAM = no
`
)

// chats in the order of the tables. None but Tenon's, which is internal/crowd, signs, encrypts or keeps what is said.
var chats = []peer{
	{name: ngircd, in: []string{inChat}, needs: []string{"/usr/sbin/ngircd"}, debian: "ngircd", speaks: "irc",
		command: "/usr/sbin/ngircd -n -f {conf}", config: ircConf},
	{name: "NATS", in: []string{inChat}, needs: []string{"/usr/sbin/nats-server"}, debian: "nats-server", speaks: "nats",
		command: "/usr/sbin/nats-server -c {conf}", config: natsConf},
	{name: "Mosquitto", in: []string{inChat}, needs: []string{"/usr/sbin/mosquitto"}, debian: "mosquitto", speaks: "mqtt",
		command: "/usr/sbin/mosquitto -c {conf}", config: mqttConf},
	{name: "Redis", in: []string{inChat}, needs: []string{"redis-server"}, debian: "redis-server", speaks: "redis",
		command: "redis-server --port {port} --bind 127.0.0.1 --appendonly no --dir {dir}"},
	{name: tenon, in: []string{inChat}, speaks: "lines", ready: time.Minute, command: "{crowd} talk -dir {dir} -listen {listen}"},
	{name: tenon, in: []string{inMembers}, speaks: "lines", ready: 5 * time.Minute, command: "{crowd} talk -dir {dir} -listen {listen} -members 50"},
}

func init() { peers = slices.Concat(peers, chats) }
