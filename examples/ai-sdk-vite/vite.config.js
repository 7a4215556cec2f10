/** Passes the requests of the page on to Foreword. */
const target = process.env.FOREWORD_URL ?? "http://127.0.0.1:8000";
const proxy = { "/api": target, "/files": target };

export default { server: { proxy }, preview: { proxy } };
