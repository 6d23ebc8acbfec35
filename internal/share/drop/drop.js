// Sends files by tus 1.0.0, each part with its hash, and goes on after a cut for as long as the page is open; or later,
// if the same file is chosen again.
"use strict";
(() => {
	const part = 8 << 20, most = 15000; // bytes of a part; milliseconds between two tries
	const list = document.getElementById("list"), input = document.getElementById("file"), form = document.getElementById("form");
	const root = document.documentElement, where = new URL("files/", location.href).href;
	root.classList.add("scripted");

	const base64 = bytes => btoa(Array.from(bytes, b => String.fromCharCode(b)).join(""));
	const text = s => base64(new TextEncoder().encode(s));
	const hash = async bytes => crypto.subtle ? new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)) : sha256(bytes);
	const units = ["B", "KiB", "MiB", "GiB", "TiB"];
	function size(n) {
		let i = 0;
		for (; n >= 1024 && i < units.length - 1; i++) n /= 1024;
		return n.toFixed(i ? 1 : 0) + " " + units[i];
	}
	// What has begun is remembered, unless the browser does not want to.
	const memory = {
		get: key => { try { return localStorage.getItem(key); } catch { return null; } },
		set: (key, value) => { try { value ? localStorage.setItem(key, value) : localStorage.removeItem(key); } catch { } },
	};

	// ask sends a request, and returns the response; null is none.
	function ask(item, method, url, headers, body) {
		return new Promise(done => {
			const x = item.request = new XMLHttpRequest();
			x.open(method, url);
			x.setRequestHeader("Tus-Resumable", "1.0.0");
			for (const name in headers) x.setRequestHeader(name, headers[name]);
			x.upload.onprogress = e => item.show(item.offset + e.loaded);
			x.onload = () => done(x);
			x.onerror = x.onabort = x.ontimeout = () => done(null);
			if (method === "HEAD") x.timeout = most;
			x.send(body);
		});
	}

	class Item {
		constructor(file) {
			this.file = file;
			this.key = ["tenon", location.pathname, file.name, file.size, file.lastModified].join("|");
			this.offset = 0;
			this.li = document.createElement("li");
			this.words = document.createElement("span");
			this.bar = document.createElement("progress");
			this.stop = document.createElement("button");
			this.stop.textContent = "Stop";
			this.stop.type = "button";
			this.stop.onclick = () => this.cancel();
			this.bar.max = file.size || 1;
			this.bar.value = 0;
			this.bar.setAttribute("aria-label", file.name);
			this.li.append(this.stop, this.words, this.bar);
			list.append(this.li);
			this.say("waits");
		}
		say(what) { this.words.textContent = this.file.name + ": " + what; }
		// show says how far it is; what was there before is no speed.
		show(at) {
			const now = performance.now();
			this.began ??= { time: now, at };
			const seconds = (now - this.began.time) / 1000, rate = (at - this.began.at) / seconds;
			this.bar.value = at;
			let words = size(at) + " of " + size(this.file.size);
			if (seconds > 1 && rate > 0) words += ", " + size(rate) + "/s, " + Math.ceil((this.file.size - at) / rate) + " s left";
			this.say(words);
		}
		end(what, good) {
			this.over = true;
			memory.set(this.key, null);
			this.say(what);
			this.bar.remove();
			this.stop.remove();
			this.li.className = good ? "done" : "failed";
		}
		async cancel() {
			this.over = true;
			this.request?.abort();
			if (this.url) await ask(this, "DELETE", this.url, {}, null);
			this.end("was not sent", false);
		}
		// send sends the file until it is there, or is not wanted.
		async send() {
			let wait = 0;
			this.url = memory.get(this.key);
			while (!this.over) {
				if (wait) {
					this.say("the connection is lost; it goes on by itself");
					await new Promise(done => setTimeout(done, wait));
					this.began = undefined;
				}
				const x = await (this.url ? this.go() : this.begin());
				if (this.over) return;
				if (!x || x.status >= 500 && x.status !== 507 || x.status === 460 || x.status === 409) {
					wait = Math.min(wait * 2 || 500, most);
				} else if (x.status === 404 || x.status === 410) {
					if (!this.url) return this.end("the link is not good any more", false);
					memory.set(this.key, this.url = null);
				} else if (x.status >= 400) {
					return this.end(x.responseText || "it is not taken", false);
				} else {
					wait = 0;
				}
			}
		}
		async begin() {
			const x = await ask(this, "POST", where, {
				"Upload-Length": String(this.file.size),
				"Upload-Metadata": "filename " + text(this.file.name) + ",modified " + text(String(this.file.lastModified)),
			}, null);
			if (!x || x.status !== 201) return x;
			this.url = new URL(x.getResponseHeader("Location"), location.href).href;
			memory.set(this.key, this.url);
			if (this.file.size === 0) this.end("is there", true);
			return x;
		}
		async go() {
			const x = await ask(this, "HEAD", this.url, {}, null);
			if (!x || x.status >= 400) return x;
			this.offset = Number(x.getResponseHeader("Upload-Offset"));
			this.show(this.offset);
			while (this.offset < this.file.size && !this.over) {
				let bytes;
				try {
					bytes = new Uint8Array(await this.file.slice(this.offset, this.offset + part).arrayBuffer());
				} catch {
					this.end("the file cannot be read, or has changed", false);
					return x;
				}
				const x = await ask(this, "PATCH", this.url, {
					"Content-Type": "application/offset+octet-stream",
					"Upload-Offset": String(this.offset),
					"Upload-Checksum": "sha256 " + base64(await hash(bytes)),
				}, bytes);
				if (!x || x.status !== 204) return x;
				this.offset = Number(x.getResponseHeader("Upload-Offset"));
			}
			if (!this.over) this.end("is there", true);
			return x;
		}
	}

	let last = Promise.resolve(); // one after the other
	function take(files) {
		for (const file of files) {
			const item = new Item(file);
			last = last.then(() => item.send());
		}
	}
	input.onchange = () => { take(input.files); input.value = ""; };
	form.onsubmit = e => e.preventDefault();
	document.ondragover = e => { e.preventDefault(); document.body.classList.add("over"); };
	document.ondragleave = e => { if (!e.relatedTarget) document.body.classList.remove("over"); };
	document.ondrop = e => {
		e.preventDefault();
		document.body.classList.remove("over");
		take(e.dataTransfer.files);
	};
	window.onbeforeunload = e => { if (list.querySelector("progress")) e.preventDefault(); };
})();
