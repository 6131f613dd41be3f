internal import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

extension Engine {
  /// Tells the scheduler the weights of accounts now and whenever administration changes one.
  func watchWeights() {
    let configured = configuration.fairness.weights
    weights.watch { [weak self] weights in
      var all = configured
      for (scope, weight) in weights { all[AccountPath(scope)] = weight }
      self?.scheduler.post(.weighted(all))
    }
  }
}

extension AccountPath {
  init(_ scope: QuotaScope) {
    switch scope.place {
    case .tenant(let tenant): self.init(tenant: tenant)
    case .project(let tenant, let project): self.init(tenant: tenant, project: project)
    case .principal(let principal):
      self.init(
        tenant: principal.tenant, project: principal.project, principal: principal.name)
    }
  }
}
