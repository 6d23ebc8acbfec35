package tlsconf

import (
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Validate reads the files, and checks what can be checked without knowing the
// side. The error names the option and matches [transport.ErrUsage].
func (o *Options) Validate() error {
	if err := o.check(); err != nil {
		return usage(err)
	}
	_, err := o.read()
	return err
}

// ValidateSide refuses what would do nothing on one side.
func (o *Options) ValidateSide(side transport.Side) error {
	if err := o.checkSide(side); err != nil {
		return usage(err)
	}
	return nil
}

// check looks at each option by itself.
func (o *Options) check() error {
	if o.Key != "" && o.Cert == "" {
		return errors.New("key= needs cert=")
	}
	if _, err := o.pins(); err != nil {
		return err
	}
	if _, _, err := o.versions(); err != nil {
		return err
	}
	for _, p := range o.ALPN {
		if p == "" || len(p) > 255 { // RFC 7301, section 3.1
			return errors.New("alpn= takes names of 1 to 255 bytes")
		}
	}
	return nil
}

// checkSide refuses options that have no effect on this side or beside others.
func (o *Options) checkSide(side transport.Side) error {
	if side == transport.Dialed {
		return o.checkDialed()
	}
	return o.checkAccepted()
}

func (o *Options) checkDialed() error {
	switch {
	case o.ClientAuth != "":
		return errors.New("client-auth= is for ends that listen")
	case o.Insecure && o.Verify == opt.On:
		return errors.New("insecure and verify=yes contradict each other")
	case (o.Insecure || o.Verify == opt.Off) && o.CA != "":
		return errors.New("ca= has no effect on a server that insecure or verify=no says not to verify")
	case o.insecure() && o.CommonName != "":
		return errors.New("commonname= has no effect on a server that insecure or verify=no says not to verify")
	}
	return o.checkCRL(!o.insecure() && (len(o.Pins) == 0 || o.CA != ""))
}

func (o *Options) checkAccepted() error {
	auth := o.clientAuth()
	switch {
	case o.SNI != "":
		return transport.WithHint(errors.New("sni= is for ends that are dialed"), "commonname= is the name that the certificate of a client must have")
	case o.Insecure:
		return transport.WithHint(errors.New("insecure is for ends that are dialed"), "a listener asks no client for a certificate unless ca=, pin= or client-auth= is given")
	case o.ClientAuth != "" && o.Verify != opt.Default && (o.Verify == opt.On) != (auth == "need"):
		return fmt.Errorf("verify= and client-auth=%s contradict each other", auth)
	case auth != "none" && o.CA == "" && len(o.Pins) == 0 && o.ClientAuth == "":
		return errors.New("verify=yes needs ca= or pin= to hold the clients against")
	case auth != "none" && o.CA == "" && len(o.Pins) == 0:
		return fmt.Errorf("client-auth=%s needs ca= or pin= to hold the clients against", auth)
	case auth == "none" && o.CA != "":
		return errors.New("ca= has no effect where no client is asked for a certificate: leave it out, or client-auth=none or verify=no")
	case auth == "none" && len(o.Pins) > 0:
		return errors.New("pin= has no effect where no client is asked for a certificate: leave it out, or client-auth=none or verify=no")
	case auth != "need" && o.CommonName != "":
		return errors.New("commonname= needs clients that must show a certificate: ca= or pin=, and not client-auth=want or none")
	}
	return o.checkCRL(auth != "none" && o.CA != "")
}

func (o *Options) versions() (oldest, newest uint16, err error) {
	if oldest, err = version("min", o.Min, tls.VersionTLS12); err != nil {
		return 0, 0, err
	}
	if newest, err = version("max-version", o.Max, tls.VersionTLS13); err != nil {
		return 0, 0, err
	}
	if oldest > newest {
		return 0, 0, errors.New("min= is newer than max-version=")
	}
	return oldest, newest, nil
}

func version(option, v string, def uint16) (uint16, error) {
	switch v {
	case "":
		return def, nil
	case "1.2":
		return tls.VersionTLS12, nil
	case "1.3":
		return tls.VersionTLS13, nil
	}
	return 0, fmt.Errorf("%s= must be 1.2 or 1.3", option)
}

func usage(err error) error { return transport.Mark(err, transport.ErrUsage) }
