// SHA-256 (FIPS 180-4) for pages that came by HTTP, where browsers have no crypto.subtle.
"use strict";
const sha256 = (() => {
	const K = new Uint32Array(64), start = new Uint32Array(8);
	for (let n = 2, i = 0; i < 64; n++) { // roots of the first primes
		let prime = true;
		for (let d = 2; d * d <= n; d++) if (n % d === 0) { prime = false; break; }
		if (!prime) continue;
		const part = x => ((x - Math.floor(x)) * 2 ** 32) >>> 0;
		if (i < 8) start[i] = part(Math.sqrt(n));
		K[i++] = part(Math.cbrt(n));
	}
	const w = new Int32Array(64);
	function blocks(h, p) {
		const view = new DataView(p.buffer, p.byteOffset, p.byteLength);
		for (let at = 0; at + 64 <= p.length; at += 64) {
			for (let i = 0; i < 16; i++) w[i] = view.getInt32(at + 4 * i);
			for (let i = 16; i < 64; i++) {
				const x = w[i - 15], y = w[i - 2];
				const s0 = (x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3;
				const s1 = (y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10;
				w[i] = w[i - 16] + s0 + w[i - 7] + s1 | 0;
			}
			let a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], k = h[7];
			for (let i = 0; i < 64; i++) {
				const t1 = k + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7)) + (e & f ^ ~e & g) + K[i] + w[i] | 0;
				const t2 = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)) + (a & b ^ a & c ^ b & c) | 0;
				k = g, g = f, f = e, e = d + t1 | 0, d = c, c = b, b = a, a = t1 + t2 | 0;
			}
			h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e, h[5] += f, h[6] += g, h[7] += k;
		}
	}
	return p => {
		const h = start.slice(), rest = p.length % 64, last = new Uint8Array(rest < 56 ? 64 : 128), view = new DataView(last.buffer);
		blocks(h, p);
		last.set(p.subarray(p.length - rest));
		last[rest] = 0x80;
		view.setUint32(last.length - 8, Math.floor(p.length / 2 ** 29));
		view.setUint32(last.length - 4, p.length << 3 >>> 0);
		blocks(h, last);
		const out = new DataView(new ArrayBuffer(32));
		h.forEach((x, i) => out.setUint32(4 * i, x));
		return new Uint8Array(out.buffer);
	};
})();
