// Uploads a file by tus-js-client, in parts: node put.mjs ENDPOINT FILE NAME PART. Where an earlier one was ended, it
// goes on. Every part that is there is told.
import * as fs from "node:fs";
import * as tus from "tus-js-client";

const [endpoint, file, name, part] = process.argv.slice(2);
const upload = new tus.Upload(fs.createReadStream(file), {
	endpoint, chunkSize: Number(part), uploadSize: fs.statSync(file).size, metadata: {filename: name},
	retryDelays: [100, 200, 400, 800, 1000, 1000, 1000, 1000, 1000, 1000],
	urlStorage: new tus.FileUrlStorage("urls.json"), fingerprint: async () => file,
	onChunkComplete: (size, accepted) => console.log("part", accepted),
	onError: err => { console.error(String(err)); process.exit(1); },
	onSuccess: () => console.log("done", upload.url),
});
const before = await upload.findPreviousUploads();
if (before.length > 0) {
	console.log("again");
	upload.resumeFromPreviousUpload(before[0]);
}
upload.start();
