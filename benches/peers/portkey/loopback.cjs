// Portkey's gateway listens on all interfaces and has no setting for it. This makes it 127.0.0.1; nothing else changes.
const { Server } = require('node:net');

const listen = Server.prototype.listen;
Server.prototype.listen = function (port, host, ...rest) {
  return typeof port === 'number' && host === undefined
    ? listen.call(this, port, '127.0.0.1', ...rest)
    : listen.call(this, port, host, ...rest);
};
