"""As much of Azure's fabric as waagent asks for before it says that it runs: its versions, one goal state, no extension."""

import http.server
import threading

FABRIC = "http://168.63.129.16"
VERSIONS = """<?xml version="1.0" encoding="utf-8"?>
<Versions><Preferred><Version>2015-04-05</Version></Preferred>
<Supported><Version>2015-04-05</Version><Version>2012-11-30</Version></Supported></Versions>"""
GOAL_STATE = f"""<?xml version="1.0" encoding="utf-8"?>
<GoalState><Version>2012-11-30</Version><Incarnation>1</Incarnation>
<Machine><ExpectedState>Started</ExpectedState><StopRolesDeadlineHint>300000</StopRolesDeadlineHint>
<LBProbePorts><Port>16001</Port></LBProbePorts><ExpectHealthReport>FALSE</ExpectHealthReport></Machine>
<Container><ContainerId>c1</ContainerId><RoleInstanceList><RoleInstance><InstanceId>i1</InstanceId><State>Started</State>
<Configuration><HostingEnvironmentConfig>{FABRIC}/environment</HostingEnvironmentConfig>
<SharedConfig>{FABRIC}/shared</SharedConfig><ConfigName>c.n</ConfigName></Configuration>
</RoleInstance></RoleInstanceList></Container></GoalState>"""
DEPLOYMENT = """<Incarnation number="1"/><Role guid="{4}" name="m" settleTimeSeconds="0"/>"""
ENVIRONMENT = f"""<?xml version="1.0" encoding="utf-8"?>
<HostingEnvironmentConfig version="1.0.0.0" goalStateIncarnation="1"><StoredCertificates/>
<Deployment name="d" guid="{{1}}" incarnation="0"><Service name="s" guid="{{0}}"/><ServiceInstance name="d.0" guid="{{2}}"/>
</Deployment>{DEPLOYMENT}</HostingEnvironmentConfig>"""
SHARED = f"""<?xml version="1.0" encoding="utf-8"?>
<SharedConfig version="1.0.0.0" goalStateIncarnation="1"><Deployment name="d" guid="{{1}}" incarnation="0"/>{DEPLOYMENT}
</SharedConfig>"""
ANSWERS = {"comp=versions": VERSIONS, "comp=goalstate": GOAL_STATE, "/environment": ENVIRONMENT, "/shared": SHARED,
           "/metadata/": "{}"}


class Fabric(http.server.BaseHTTPRequestHandler):
    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        body = next((text for part, text in ANSWERS.items() if part in self.path), "").encode()
        self.send_response(200 if body or self.command != "GET" else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_) -> None:
        pass


def serve(port: int) -> None:
    http.server.ThreadingHTTPServer(("0.0.0.0", port), Fabric).serve_forever()


threading.Thread(target=serve, args=(32526,), daemon=True).start()
serve(80)
