"use strict";
// The page of the slide show. What it shows is decided by the program: this script
// tells it what its reader wants, and does what it says. It writes what it knows into
// attributes of <html>, where the style sheet and tests find it: data-link (open,
// lost), data-slide (from 1), data-video (waiting, live, stalled, ended) and
// data-drawn (pictures of the video drawn).

const silence = 4000; // milliseconds without a word from the program that make it lost
const root = document.documentElement;
const slides = [...document.querySelectorAll("main > section")];
const byId = id => document.getElementById(id);

let socket = null;
let pause = 250; // before the next try to reach the program
let heard = 0; // when the program said something
let current = -1;

function say(what) {
	if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(what));
}

// The connection: there is one, or one is tried for.

function connect() {
	const own = new WebSocket(location.origin.replace(/^http/, "ws") + "/live");
	own.binaryType = "arraybuffer";
	socket = own;
	heard = performance.now();
	own.onmessage = event => {
		if (socket !== own) return;
		heard = performance.now();
		if (typeof event.data === "string") follow(JSON.parse(event.data));
		else draw(event.data).finally(() => { if (socket === own) say({drawn: true}); });
	};
	own.onclose = () => { if (socket === own) lose(); };
}

function lose() {
	const old = socket;
	socket = null;
	old.close();
	root.dataset.link = "lost";
	setTimeout(connect, pause);
	pause = Math.min(2 * pause, 5000);
}

setInterval(() => {
	if (socket && performance.now() - heard > silence) lose();
	measure();
}, 500);

// What the program says.

function follow(told) {
	if (told.deck !== root.dataset.deck) return location.reload();
	pause = 250;
	root.dataset.link = "open";
	root.dataset.video = told.video || "waiting";
	const seconds = Math.floor(told.seconds);
	const text = told.text && seconds > 0 ? `${told.text} (${seconds} s)` : told.text;
	for (const message of document.querySelectorAll(".message"))
		if (message.textContent !== text) message.textContent = text;
	show(told.slide);
}

function show(number) {
	if (number === current) return;
	current = number;
	slides.forEach((slide, i) => { slide.hidden = i !== number; });
	byId("where").textContent = `${number + 1} / ${slides.length}`;
	byId("progress").value = number + 1;
	root.dataset.slide = number + 1;
	history.replaceState(null, "", "#" + (number + 1));
}

// The video. A picture that cannot be drawn is left out.

let drawn = 0, before = 0;

async function draw(jpeg) {
	try {
		const picture = await createImageBitmap(new Blob([jpeg], {type: "image/jpeg"}));
		for (const canvas of slides[current]?.querySelectorAll("canvas") ?? []) {
			if (canvas.width !== picture.width || canvas.height !== picture.height) {
				canvas.width = picture.width;
				canvas.height = picture.height;
			}
			canvas.getContext("2d").drawImage(picture, 0, 0);
		}
		picture.close();
		root.dataset.drawn = ++drawn;
	} catch (error) {
		console.warn("a picture cannot be drawn:", error);
	}
}

// measure says how many pictures a second were drawn.
let measured = performance.now();
function measure() {
	const now = performance.now();
	if (now - measured < 1000) return;
	const pace = Math.round((drawn - before) * 1000 / (now - measured));
	for (const e of document.querySelectorAll(".pace"))
		e.textContent = pace === 1 ? "1 picture a second" : `${pace} pictures a second`;
	before = drawn;
	measured = now;
}

// What the reader wants.

const keys = {
	ArrowRight: () => say({turn: 1}), PageDown: () => say({turn: 1}), " ": () => say({turn: 1}), n: () => say({turn: 1}),
	ArrowLeft: () => say({turn: -1}), PageUp: () => say({turn: -1}), Backspace: () => say({turn: -1}), p: () => say({turn: -1}),
	Home: () => say({go: 0}), End: () => say({go: slides.length - 1}),
	f: () => document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen(),
};

document.addEventListener("keydown", event => {
	if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("button, a") && event.key === " ") return;
	const act = keys[event.key];
	if (!act) return;
	event.preventDefault();
	act();
});

document.querySelector("main").addEventListener("click", event => {
	if (event.target.closest("a") || !getSelection().isCollapsed) return;
	say({turn: event.clientX < innerWidth / 4 ? -1 : 1});
});
byId("back").addEventListener("click", () => say({turn: -1}));
byId("on").addEventListener("click", () => say({turn: 1}));

addEventListener("hashchange", () => {
	const number = parseInt(location.hash.slice(1), 10);
	if (number >= 1) say({go: number - 1});
});

show(0);
connect();
