"""Starts the servers that are compared, each as one worker on the server's core. The cases are the caller's."""

import pathlib

from .processes import SERVER_CORE, start

# Most sessions at once; each needs two descriptors.
SESSIONS = 6000
# Where Debian keeps nginx's modules.
NGINX_MODULES = pathlib.Path("/usr/lib/nginx/modules")


def start_alb(stack, directory, program, config, *ports):
    """`alb` with one worker, quiet but for warnings; `config` is the rest of its configuration. Returns its process id."""
    path = directory / "alb.toml"
    path.write_text(f'[daemon]\nworkers = 1\n[log]\nlevel = "warn"\n{config}')
    command = [str(pathlib.Path(program).resolve()), "-c", str(path)]
    return start(stack, directory, "alb", SERVER_CORE, command, *ports)


def start_nginx(stack, directory, blocks, *ports, modules=()):
    """nginx of one process with these blocks (`http {…}`, `stream {…}`). Returns its process id."""
    prefix = directory / "nginx"
    prefix.mkdir(exist_ok=True)
    load = "".join(f"load_module {NGINX_MODULES / module}.so; " for module in modules)
    (prefix / "nginx.conf").write_text(f"""
{load}
daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr crit;
events {{ worker_connections {2 * SESSIONS + 64}; multi_accept on; }}
{blocks}
""")
    command = ["nginx", "-p", str(prefix), "-e", "stderr", "-c", "nginx.conf"]
    return start(stack, directory, "nginx", SERVER_CORE, command, *ports)


def start_haproxy(stack, directory, body, *ports):
    """HAProxy of one thread; `body` has its `defaults` and the rest. Returns its process id."""
    config = directory / "haproxy.cfg"
    config.write_text(f"global\n    nbthread 1\n    maxconn {SESSIONS}\n{body}")
    return start(stack, directory, "haproxy", SERVER_CORE, ["haproxy", "-db", "-f", str(config)], *ports)
