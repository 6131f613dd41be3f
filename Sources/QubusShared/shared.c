/* link-only: see Package.swift */
