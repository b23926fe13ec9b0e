// How does kinesis-local listen on 127.0.0.1 alone? It has no option for it, so `listen` is told.
"use strict";

const net = require("node:net");

const listen = net.Server.prototype.listen;

net.Server.prototype.listen = function (first, ...rest) {
  const options = first !== null && typeof first === "object" ? first : { port: first };
  const callback = rest.findLast((argument) => typeof argument === "function");
  const port = Number(options.port);
  return Number.isInteger(port)
    ? listen.call(this, { ...options, port, host: "127.0.0.1" }, callback)
    : listen.call(this, first, ...rest);
};
