#Requires -Version 4.0
<#
.SYNOPSIS
Writes down what mapiready judges: the settings of an Exchange organisation that matter for MAPI over HTTP.

.DESCRIPTION
Made by mapiready @@VERSION@@. Read only: it sends cmdlets of the verbs Get and Test, and writes into a new folder of its
own below -Path, which it then packs into a zip file. Judge the zip file anywhere, without a connection:

    mapiready judge FILE

Run it in the Exchange Management Shell (Windows PowerShell 4.0 or 5.1) of the newest Exchange server, as an
administrator, with an account in View-Only Organization Management at least. It writes down the organisation, and what
only a host knows of the server on which it runs; for the other servers run it there too, with -HostOnly, and judge all
the files together.

A cmdlet or a server that fails costs only itself: index.xml in the zip file says what is missing, and why. Nothing is
sent anywhere. The files hold names of servers, URLs, addresses of mailboxes and certificates without their keys;
no password and no private key.

.PARAMETER Path
The folder in which the new folder and the zip file are made. It must exist.

.PARAMETER HostOnly
Writes down only what this host knows: .NET, memory, application pools, bindings, TLS and Extended Protection. Needs no
Exchange Management Shell.

.PARAMETER Mailboxes
Auto looks at mailboxes when there are at most @@LIMIT@@, All however many there are, None at no mailbox.

.EXAMPLE
.\Collect-MapiReadiness.ps1

Writes mapiready-SERVER-DATE.zip into the current folder.

.EXAMPLE
.\Collect-MapiReadiness.ps1 -Path D:\Audit -Mailboxes All

Looks at all mailboxes, however many there are.

.EXAMPLE
.\Collect-MapiReadiness.ps1 -Path D:\Audit -HostOnly

Run on each further server: writes down what only that server knows of itself.

.NOTES
The script is plain ASCII and may be signed with Set-AuthenticodeSignature.
#>
[CmdletBinding()]
param(
    [string] $Path = '.',
    [switch] $HostOnly,
    [ValidateSet('Auto', 'All', 'None')]
    [string] $Mailboxes = 'Auto'
)

$ErrorActionPreference = 'Continue'

# --- what is written down of each call --------------------------------------------------------------------------------

# One call, as it will stand in the index. The server is the one to which the shell is connected.
function Get-NextCall {
    param([string] $Cmdlet, [hashtable] $Parameters)
    $Number = $Calls.Count + 1
    Write-Progress -Activity 'mapiready is collecting (read only)' -Status ('{0}: {1}' -f $Number, $Cmdlet)
    [pscustomobject] @{
        Cmdlet = $Cmdlet
        Parameters = $Parameters
        Server = Get-AnsweringServer
        File = 'call-{0:d5}.xml' -f $Number
        Started = [datetime]::UtcNow
        Seconds = 0.0
        Objects = 0
        Failed = $false
        Errors = [System.Collections.ArrayList] @()
        Warnings = [System.Collections.ArrayList] @()
    }
}

# One look at this host, as it will stand in the index.
function Get-NextItem {
    param([string] $Item)
    Write-Progress -Activity 'mapiready is collecting (read only)' -Status $Item
    [pscustomobject] @{
        Item = $Item
        File = 'host-{0}.xml' -f $Item
        Failed = $false
        Errors = [System.Collections.ArrayList] @()
    }
}

# The server that runs the cmdlets: the one of the shell's session, or this one where the shell has none.
function Get-AnsweringServer {
    $Open = Get-PSSession | Where-Object { $_.ConfigurationName -eq 'Microsoft.Exchange' -and $_.State -eq 'Opened' }
    $Last = $Open | Select-Object -Last 1
    if ($null -ne $Last) { $Last.ComputerName } else { $env:COMPUTERNAME }
}

# An error in a few words that are no translation: its id and category tell what it is.
function Get-Failure {
    param($Record)
    $Exception = $Record.Exception
    $Types = $Exception.PSObject.TypeNames
    if ($null -ne $Exception.SerializedRemoteException) {
        $Types = $Exception.SerializedRemoteException.PSObject.TypeNames
    }
    [pscustomobject] @{
        Id = [string] $Record.FullyQualifiedErrorId
        Category = [string] $Record.CategoryInfo.Category
        Message = [string] $Exception.Message
        Target = [string] $Record.CategoryInfo.TargetName
        Types = @($Types)
    }
}

# Keeps errors and warnings for the index, and passes on the objects.
filter Select-Received {
    if ($_ -is [System.Management.Automation.ErrorRecord]) {
        [void] $Call.Errors.Add((Get-Failure $_))
    }
    elseif ($_ -is [System.Management.Automation.WarningRecord]) {
        [void] $Call.Warnings.Add([string] $_.Message)
    }
    else {
        $Call.Objects = $Call.Objects + 1
        $_
    }
}

# --- where it goes ----------------------------------------------------------------------------------------------------

if (-not $HostOnly) {
    if ($null -eq (Get-Command -Name 'Get-OrganizationConfig' -ErrorAction SilentlyContinue)) {
        throw 'Run this in the Exchange Management Shell, or with -HostOnly for what this host knows of itself.'
    }
}
$Begun = [datetime]::UtcNow
$Name = 'mapiready-{0}-{1}' -f $env:COMPUTERNAME, $Begun.ToString('yyyyMMdd-HHmmss')
$Folder = Join-Path -Path $Path -ChildPath $Name
[void] (New-Item -Path $Folder -ItemType Directory -ErrorAction Stop)

$Calls = [System.Collections.ArrayList] @()
$Items = [System.Collections.ArrayList] @()
$Complete = $false
$Servers = @()
$AllMailboxes = @()
$MailboxLimit = 'Unlimited'
if ($Mailboxes -eq 'Auto') { $MailboxLimit = @@ONE_MORE@@ }

try {
    if (-not $HostOnly) {

        # --- the organisation -----------------------------------------------------------------------------------------
@@ORGANISATION@@
        # --- each server ----------------------------------------------------------------------------------------------

        $ClientAccess = @($Servers |
            Where-Object { $_.Name -and $_.IsEdgeServer -ne $true -and $_.IsClientAccessServer -ne $false } |
            ForEach-Object { [string] $_.Name })
        $ClientAccess2013 = @($Servers |
            Where-Object { $_.Name -and $_.IsEdgeServer -ne $true -and $_.IsClientAccessServer -ne $false } |
            Where-Object { $_.IsE15OrLater -ne $false } |
            ForEach-Object { [string] $_.Name })
        $Mailbox2013 = @($Servers |
            Where-Object { $_.Name -and $_.IsEdgeServer -ne $true -and $_.IsMailboxServer -ne $false } |
            Where-Object { $_.IsE15OrLater -ne $false } |
            ForEach-Object { [string] $_.Name })
@@SERVERS@@
        # --- mailboxes: only the properties that are judged -----------------------------------------------------------

        if ($Mailboxes -ne 'None') {
@@MAILBOXES@@
            # Whether those that have MAPI over HTTP ahead of the organisation have an archive.
            $Ahead = @($AllMailboxes |
                Where-Object { $_.MapiHttpEnabled -eq $true } |
                ForEach-Object { [string] $_.DistinguishedName })
@@AHEAD@@
        }
    }

    # --- this host ----------------------------------------------------------------------------------------------------

    $Item = Get-NextItem -Item 'dotnet-release'
    try {
        Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full' -ErrorAction Stop |
            ForEach-Object { $_.Release } |
            Export-Clixml -LiteralPath (Join-Path $Folder $Item.File) -Encoding UTF8
    }
    catch {
        $Item.Failed = $true
        [void] $Item.Errors.Add((Get-Failure $_))
    }
    [void] $Items.Add($Item)

    $Item = Get-NextItem -Item 'memory'
    try {
        Get-CimInstance -ClassName 'Win32_ComputerSystem' -ErrorAction Stop |
            ForEach-Object { $_.TotalPhysicalMemory } |
            Export-Clixml -LiteralPath (Join-Path $Folder $Item.File) -Encoding UTF8
    }
    catch {
        $Item.Failed = $true
        [void] $Item.Errors.Add((Get-Failure $_))
    }
    [void] $Items.Add($Item)

    $Item = Get-NextItem -Item 'app-pools'
    $Pools = $null
    try {
        $Filter = 'system.applicationHost/applicationPools/add'
        $Pools = @(Get-WebConfiguration -PSPath 'MACHINE/WEBROOT/APPHOST' -Filter $Filter -ErrorAction Stop |
            Where-Object { $_.name -like 'MSExchange*' } |
            ForEach-Object {
                [pscustomobject] @{
                    Name = [string] $_.name
                    State = [string] (Get-WebAppPoolState -Name $_.name -ErrorAction Stop).Value
                    ClrConfigFile = [string] $_.CLRConfigFile
                }
            })
        $Pools | Export-Clixml -LiteralPath (Join-Path $Folder $Item.File) -Encoding UTF8
    }
    catch {
        $Item.Failed = $true
        [void] $Item.Errors.Add((Get-Failure $_))
    }
    [void] $Items.Add($Item)

    $Item = Get-NextItem -Item 'clr-configurations'
    try {
        if ($null -eq $Pools) { throw 'The application pools could not be listed.' }
        $Pools |
            Where-Object { $_.ClrConfigFile -ne '' } |
            ForEach-Object {
                $Pool = $_
                $Xml = $null
                try {
                    $Xml = (Get-Content -LiteralPath $Pool.ClrConfigFile -ErrorAction Stop) -join "`n"
                }
                catch {
                    [void] $Item.Errors.Add((Get-Failure $_))
                }
                [pscustomobject] @{
                    Name = $Pool.Name
                    Xml = $Xml
                }
            } |
            Export-Clixml -LiteralPath (Join-Path $Folder $Item.File) -Encoding UTF8
    }
    catch {
        $Item.Failed = $true
        [void] $Item.Errors.Add((Get-Failure $_))
    }
    [void] $Items.Add($Item)

    $Item = Get-NextItem -Item 'web-bindings'
    try {
        Get-WebBinding -ErrorAction Stop |
            Export-Clixml -LiteralPath (Join-Path $Folder $Item.File) -Depth 3 -Encoding UTF8
    }
    catch {
        $Item.Failed = $true
        [void] $Item.Errors.Add((Get-Failure $_))
    }
    [void] $Items.Add($Item)

    # A value that is not set stays empty: then the default of this Windows counts.
    $Item = Get-NextItem -Item 'tls-settings'
    try {
        @(
            'HKLM:\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.0\Client'
            'HKLM:\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.0\Server'
            'HKLM:\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.1\Client'
            'HKLM:\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.1\Server'
            'HKLM:\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2\Client'
            'HKLM:\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2\Server'
            'HKLM:\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.3\Client'
            'HKLM:\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.3\Server'
            'HKLM:\SOFTWARE\Microsoft\.NETFramework\v2.0.50727'
            'HKLM:\SOFTWARE\Microsoft\.NETFramework\v4.0.30319'
            'HKLM:\SOFTWARE\Wow6432Node\Microsoft\.NETFramework\v2.0.50727'
            'HKLM:\SOFTWARE\Wow6432Node\Microsoft\.NETFramework\v4.0.30319'
        ) |
            Where-Object { Test-Path -LiteralPath $_ } |
            ForEach-Object { Get-ItemProperty -LiteralPath $_ -ErrorAction Stop } |
            ForEach-Object {
                [pscustomobject] @{
                    Key = [string] $_.PSPath
                    Enabled = $_.Enabled
                    DisabledByDefault = $_.DisabledByDefault
                    SchUseStrongCrypto = $_.SchUseStrongCrypto
                    SystemDefaultTlsVersions = $_.SystemDefaultTlsVersions
                }
            } |
            Export-Clixml -LiteralPath (Join-Path $Folder $Item.File) -Encoding UTF8
    }
    catch {
        $Item.Failed = $true
        [void] $Item.Errors.Add((Get-Failure $_))
    }
    [void] $Items.Add($Item)

    # Only paths that exist: of any other, IIS would give the values of the whole site.
    $Item = Get-NextItem -Item 'extended-protection'
    try {
        $Apphost = 'MACHINE/WEBROOT/APPHOST'
        $Binding = 'system.webServer/security/authentication/windowsAuthentication/extendedProtection'
        $Access = 'system.webServer/security/access'
        @('Default Web Site', 'Exchange Back End') |
            ForEach-Object {
                # A server of Exchange 2013 may have one of the two sites alone.
                $Site = $_
                try {
                    Get-WebApplication -Site $Site -ErrorAction Stop | ForEach-Object { '{0}{1}' -f $Site, $_.path }
                }
                catch {
                    [void] $Item.Errors.Add((Get-Failure $_))
                }
            } |
            ForEach-Object {
                $Location = $_
                $Token = Get-WebConfigurationProperty -PSPath $Apphost -Location $Location -Filter $Binding `
                    -Name 'tokenChecking' -ErrorAction Stop
                $Flags = Get-WebConfigurationProperty -PSPath $Apphost -Location $Location -Filter $Access `
                    -Name 'sslFlags' -ErrorAction Stop
                if ($null -ne $Token.Value) { $Token = $Token.Value }
                if ($null -ne $Flags.Value) { $Flags = $Flags.Value }
                [pscustomobject] @{
                    Path = $Location
                    TokenChecking = [string] $Token
                    SslFlags = [string] $Flags
                }
            } |
            Export-Clixml -LiteralPath (Join-Path $Folder $Item.File) -Encoding UTF8
    }
    catch {
        $Item.Failed = $true
        [void] $Item.Errors.Add((Get-Failure $_))
    }
    [void] $Items.Add($Item)

    $Complete = $true
}
finally {
    # The index is written last, and also when the script was interrupted: it says what the other files hold.
    [pscustomobject] @{
        Format = '@@FORMAT@@'
        SchemaVersion = @@SCHEMA@@
        Generator = '@@VERSION@@'
        Complete = $Complete
        HostOnly = [bool] $HostOnly
        Mailboxes = $Mailboxes
        Computer = $env:COMPUTERNAME
        User = '{0}\{1}' -f $env:USERDOMAIN, $env:USERNAME
        PowerShell = [string] $PSVersionTable.PSVersion
        Begun = $Begun
        Ended = [datetime]::UtcNow
        Calls = $Calls
        Items = $Items
    } | Export-Clixml -LiteralPath (Join-Path -Path $Folder -ChildPath 'index.xml') -Depth 6 -Encoding UTF8
}

# --- the zip file -----------------------------------------------------------------------------------------------------

if ($PSVersionTable.PSVersion.Major -ge 5) {
    $Zip = Join-Path -Path $Path -ChildPath ('{0}.zip' -f $Name)
    Compress-Archive -Path (Join-Path -Path $Folder -ChildPath '*') -DestinationPath $Zip -ErrorAction Stop
    Write-Output ('Written: {0}. Judge it with: mapiready judge {1}.zip' -f $Zip, $Name)
    Write-Output ('The folder {0} holds the same and is needed no more.' -f $Folder)
}
else {
    Write-Output ('Written: the folder {0}. This PowerShell cannot make zip files;' -f $Folder)
    Write-Output ('judge the folder as it is: mapiready judge {0}' -f $Name)
}
