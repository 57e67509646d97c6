"""A gRPC server without a schema: messages are bytes. It prints `listening on ADDRESS` and runs until it is killed.

/test.Echo/Unary        answers the request; trailing metadata x-seen: the number of bytes
/test.Echo/ServerStream one message for each byte of the request
/test.Echo/ClientStream the number of messages
/test.Echo/BothStream   every message as it comes
/test.Echo/Fail         FAILED_PRECONDITION, "as asked", trailing metadata x-reason: asked
/test.Echo/Hang         never answers; when the client goes, `hang: cancelled` is printed
"""

from concurrent import futures
import threading

import grpc


def unary(request, context):
    context.set_trailing_metadata([("x-seen", str(len(request)))])
    return request


def server_stream(request, context):
    for byte in request:
        yield bytes([byte])


def client_stream(messages, context):
    return str(sum(1 for _ in messages)).encode()


def both_stream(messages, context):
    yield from messages


def fail(request, context):
    context.set_trailing_metadata([("x-reason", "asked")])
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "as asked")


def hang(request, context):
    gone = threading.Event()
    context.add_callback(gone.set)
    print("hang: waiting", flush=True)
    gone.wait()
    print("hang: cancelled", flush=True)
    return b""


server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
server.add_generic_rpc_handlers([
    grpc.method_handlers_generic_handler("test.Echo", {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream),
        "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
        "BothStream": grpc.stream_stream_rpc_method_handler(both_stream),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
        "Hang": grpc.unary_unary_rpc_method_handler(hang),
    })
])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"listening on 127.0.0.1:{port}", flush=True)
server.wait_for_termination()
