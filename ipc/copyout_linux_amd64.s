#include "textflag.h"

// func repMovsb(to, from *byte, n int)
TEXT ·repMovsb(SB), NOSPLIT, $0-24
	MOVQ to+0(FP), DI
	MOVQ from+8(FP), SI
	MOVQ n+16(FP), CX
	REP; MOVSB
	RET
