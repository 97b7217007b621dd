"""TLS in front of a plain address: pyconnectwise speaks https and nothing else."""

import os
import socket
import ssl
import tempfile
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import trustme


@contextmanager
def tls_front(plain_url):
    """Yields `host:port` of a TLS listener that hands every connection on to `plain_url`.

    The certificate lives as long as the block; `requests` trusts it through REQUESTS_CA_BUNDLE.
    """
    target = urlsplit(plain_url)
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        bundle = os.path.join(folder, "ca.pem")
        authority.cert_pem.write_to_path(bundle)
        os.environ["REQUESTS_CA_BUNDLE"] = bundle
        arguments = (listener, context, (target.hostname, target.port))
        threading.Thread(target=accept, args=arguments, daemon=True).start()
        yield "127.0.0.1:%d" % listener.getsockname()[1]


def accept(listener, context, target):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # The block has ended.
            return
        threading.Thread(target=serve, args=(connection, context, target), daemon=True).start()


def serve(connection, context, target):
    try:
        with context.wrap_socket(connection, server_side=True) as client, socket.create_connection(target) as site:
            back = threading.Thread(target=pump, args=(site, client), daemon=True)
            back.start()
            pump(client, site)
            back.join()
    except OSError:
        pass  # A connection that ends is the client's own affair.


def pump(source, sink):
    """Hands bytes on until the source ends, then ends the sink."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass
