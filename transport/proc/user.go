//go:build unix

package proc

import (
	"fmt"
	"os/user"
	"strconv"
	"syscall"
)

// An identity is whom a program runs as. A nil one is ourselves.
type identity struct {
	cred       syscall.Credential
	name, home string
}

// lookUp finds a user by name or number.
func lookUp(who string) (*identity, error) {
	if who == "" {
		return nil, nil
	}
	u, err := user.Lookup(who)
	if err != nil {
		if _, nerr := strconv.ParseUint(who, 10, 32); nerr != nil {
			return nil, err
		}
		if u, err = user.LookupId(who); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", who, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", who, err)
	}
	id := &identity{name: u.Username, home: u.HomeDir, cred: syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	groups, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of user %s: %w", who, err)
	}
	for _, g := range groups {
		n, err := strconv.ParseUint(g, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("groups of user %s: %w", who, err)
		}
		id.cred.Groups = append(id.cred.Groups, uint32(n))
	}
	return id, nil
}

// environ returns what login(1) would set.
func (id *identity) environ() []string {
	if id == nil {
		return nil
	}
	return []string{"USER=" + id.name, "LOGNAME=" + id.name, "HOME=" + id.home}
}
