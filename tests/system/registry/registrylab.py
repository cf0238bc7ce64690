# SPDX-License-Identifier: Apache-2.0
"""A realm with a trust registry: freeDiameterd with the agent and the registry, as an operator of a registry runs it."""
from lab.realm import ASP, BSF, BSF_DIAMETER, OPERATOR, Realm, q

REGISTRY = "registry." + ASP  # Diameter identity
REGISTRY_NAF = "register." + ASP  # what devices address


class RegistryRealm(Realm):
    def registry_conf(self, reg_id="IN1", reg_type="primary", parent="IN", extra=""):
        return self._write("registry.conf", self.common("registry") + 'reg-id = %s;\nreg-type = %s;\nparent = %s;\ndatabase = %s;\n'
                           'kek-file = %s;\nkey-file = %s;\nmetrics-listen = %s;\n%s'
                           % (q(reg_id), q(reg_type), q(parent), q(self.path("registry.db")), q(self.path("registry.kek")),
                              q(self.path("registry.key")), q(self.address("registry") + ":9100"), extra))

    def registry_agent_conf(self):
        return self._write("registry-naf.conf", self.common("registry") + 'audit-log = %s;\n' % q(self.path("registry-naf.audit.log")) + 'socket = %s;\n'
                           'realms = ( { domain = %s; realm = %s; host = %s; } );\n'
                           'clients = ( { name = "naf-proxy"; user = "*"; fqdns = [ %s ]; } );\n'
                           % (q(self.path("registry-naf.sock")), q(BSF), q(OPERATOR), q(BSF_DIAMETER), q(REGISTRY_NAF)))

    def registry_daemon(self, **conf):
        guard = self.guard_conf("registry", [(BSF_DIAMETER, ["zn", "rpa"])])
        return self.daemon_conf("registry", REGISTRY, ASP,
                                [("dict_gba", ""), ("dict_y3056", ""), ("gba_guard", guard), ("naf", self.registry_agent_conf()),
                                 ("registry_fn", self.registry_conf(**conf))],
                                [(BSF_DIAMETER, self.address("bsf"))])

    def start_registry(self, **conf):
        return self.start_daemon("registry", self.registry_daemon(**conf), 9100)

    def registry_log(self):
        with open(self.path("registry.log"), encoding="utf-8") as log:
            return log.read()
