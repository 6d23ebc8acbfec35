package inet

func hasIPv6() bool { return true }
